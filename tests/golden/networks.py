"""Data and first weights of the networks that are trained in two libraries, from the stream of NumPy that is frozen."""

import numpy as np

ROWS, FEATURES, BATCH, STEPS = 64, 6, 16, 50

# Sizes of the layers, and what the targets are.
NETWORKS = {
    "relu, label smoothing, Nesterov's momentum": ((16, 16, 3), "classes"),
    "tanh, L2, Adam": ((12, 1), "yes or no"),
    "batch normalisation, RMSprop": ((16, 12, 4), "classes"),
    "ELU, decoupled decay, AdamW": ((10, 8, 1), "value"),
    "softplus, Huber, Adagrad": ((12, 2), "value"),
}


def samples(name):
    """Return x, y and the kernels and biases of a network's dense layers, all but labels float64."""
    sizes, target = NETWORKS[name]
    random = np.random.RandomState(list(NETWORKS).index(name))
    x = random.standard_normal((ROWS, FEATURES))
    signal = x @ random.standard_normal((FEATURES, sizes[-1])) + 0.3 * random.standard_normal((ROWS, sizes[-1]))
    y = {"classes": signal.argmax(1), "yes or no": (signal > 0).astype(float), "value": np.sin(signal) * 2}[target]
    shapes = zip((FEATURES, *sizes), sizes, strict=False)
    weights = [(random.standard_normal(s) / np.sqrt(s[0]), 0.1 * random.standard_normal(s[1])) for s in shapes]
    return x, y, weights


def batch(step):
    """Return the rows of a step."""
    begin = step * BATCH % ROWS
    return slice(begin, begin + BATCH)
