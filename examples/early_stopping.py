"""Early stopping is a kind of L2: after t steps of size a, weights are about where a penalty of 1 / (2 a t) puts them.

Gradient descent from 0 on a regression with two features, beside the minima under L2 of growing strength: the two paths
run side by side. Then the same with all ten features of the diabetes data: how far the weights are from 0 after t
steps, the radius a t (times the norm of the first, largest gradient) that they cannot leave, and their norm under L2.
At last the test error along both paths, which is lowest at about the same norm.
"""

import numpy as np
from _figure import Figures, plain, plt
from sklearn.datasets import load_diabetes

import flyball
from flyball import callbacks, layers, optimizers, regularizers
from flyball.plotting import PenaltyContourDisplay

RATE = 0.01
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

figures = Figures(__doc__)
data = load_diabetes()
x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
y = (data.target - data.target.mean()) / data.target.std()


def network(x, optimizer, regularizer=None):
    """Return a linear model that starts at 0."""
    flyball.utils.set_random_seed(0)
    dense = layers.Dense(
        1, use_bias=False, kernel_initializer="zeros", kernel_regularizer=regularizer, input_shape=(x.shape[1],)
    )
    model = flyball.Sequential([dense], dtype="float64")
    model.compile(optimizer, "mse")
    return model


def descend(x, y, steps):
    """Return the weights after each step of gradient descent from 0, all rows in each step."""
    model = network(x, optimizers.SGD(RATE))
    path = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda *_: path.append(model.get_weights()[0][:, 0]))
    model.fit(x, y, batch_size=len(x), epochs=steps, verbose=0, callbacks=[watch])
    return np.array(path)


def penalised_minimum(x, y, strength, steps):
    """Return the weights that minimise the error and an L2 penalty."""
    model = network(x, optimizers.SGD(0.5 / (strength + 10.0), momentum=0.9), regularizers.L2(strength))
    model.fit(x, y, batch_size=len(x), epochs=steps, verbose=0)
    return model.get_weights()[0][:, 0]


figure, axes = plt.subplots(1, 3, figsize=(15, 4.9), layout="constrained")

names = ("bmi", "bp")
columns = [data.feature_names.index(name) for name in names]
pair = x[:, columns]
display = PenaltyContourDisplay.from_data(pair, y, names=["weight of the body mass", "weight of the blood pressure"])
path = descend(pair, y, 300)
grid = np.stack(np.meshgrid(np.linspace(-0.05, 0.62, 121), np.linspace(-0.05, 0.45, 121)), axis=-1)
axes[0].contour(grid[..., 0], grid[..., 1], display.loss(grid), 12, colors="#B8CFE0", linewidths=1)
axes[0].plot(*path.T, ".", color=BLUE, markersize=5, label="steps of gradient descent")
axes[0].plot(*display.paths["l2"].T, color=RED, linewidth=2.2, label="minima under L2")
axes[0].plot(*display.optimum, "x", color="black", markersize=9, markeredgewidth=2)
plain(axes[0], "Two weights", display.names[0])
axes[0].set_ylabel(display.names[1], color="#555555")
axes[0].legend(frameon=False, loc="upper left")
norms = np.linalg.norm(display.paths["l2"], axis=1)
nearest = [np.linalg.norm(display.paths["l2"] - point, axis=1).min() for point in path]
figures.say(**{"largest distance of the paths": max(nearest), "norm of the optimum": np.linalg.norm(display.optimum)})

rng = np.random.default_rng(0)
order = rng.permutation(len(x))
train, test = order[:60], order[60:]
steps = 400 if figures.quick else 2000
path = descend(x[train], y[train], steps)
counts = np.unique(np.geomspace(1, steps, 10 if figures.quick else 16).astype(int))
strengths = 1.0 / (2.0 * RATE * counts)
solutions = np.array(
    [penalised_minimum(x[train], y[train], each, 400 if figures.quick else 2000) for each in strengths]
)
stopped, penalised = (np.linalg.norm(weights, axis=1) for weights in (path[counts - 1], solutions))
gradient = 2.0 * np.linalg.norm(x[train].T @ y[train]) / len(train)
axes[1].loglog(counts, stopped, "o", color=BLUE, label="$|w|$ after t steps")
axes[1].loglog(counts, penalised, color=RED, linewidth=2.2, label="$|w|$ under L2, $\\lambda$ = 1 / (2 a t)")
axes[1].loglog(counts, RATE * counts * gradient, "--", color=GREEN, label="a t, times the first gradient's norm")
axes[1].set_ylim(0.3 * stopped.min(), 4 * stopped.max())
plain(axes[1], "Ten weights: how far from 0 (logarithmic)", "steps t")
axes[1].legend(frameon=False)
figures.say(
    **{
        "largest ratio of the norms": np.max(np.maximum(stopped / penalised, penalised / stopped)),
        "largest norm over its radius": np.max(stopped / (RATE * counts * gradient)),
    }
)


def error(weights):
    """Return the mean squared error on the test rows, for each row of weights."""
    return np.mean((y[test] - weights @ x[test].T) ** 2, axis=1)


axes[2].plot(stopped, error(path[counts - 1]), "o", color=BLUE, label="stopped after t steps")
axes[2].plot(penalised, error(solutions), color=RED, linewidth=2.2, label="under L2")
plain(axes[2], "Ten weights: test error along both paths", "$|w|$")
axes[2].legend(frameon=False)
figures.say(
    **{
        "best test error stopped": error(path[counts - 1]).min(),
        "best test error under L2": error(solutions).min(),
        "test error of all steps": error(path[-1:])[0],
    }
)
figures.save(figure, "early_stopping")
