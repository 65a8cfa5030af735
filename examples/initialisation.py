"""What ten layers put out with the first weights they are given, and how far a network gets that starts there.

Histograms of the outputs of ten layers of 100 units on handwritten digits, before training, for three activations and
four initializers: N(0, 0.01^2) makes them vanish, N(0, 1) saturates tanh and sigmoid, Xavier keeps tanh alive, He keeps
ReLU alive. Each network is then trained for a few epochs: its test accuracy stands above its histograms.
"""

import numpy as np
from _figure import Figures, digits, plt

import flyball
from flyball import initializers, inspect, layers
from flyball.plotting import ActivationHistogramDisplay

LAYERS, UNITS = 10, 100
INITIALIZERS = {
    "N(0, 0.01²)": initializers.RandomNormal(stddev=0.01),
    "N(0, 1)": initializers.RandomNormal(stddev=1.0),
    "Xavier": initializers.GlorotNormal(),
    "He": initializers.HeNormal(),
}

figures = Figures(__doc__)
x, y, x_test, y_test = digits(400 if figures.quick else None)
mean, spread = x.mean(), x.std()
x, x_test = (x - mean) / spread, (x_test - mean) / spread

figure, axes = plt.subplots(3, 4, figsize=(15, 8), layout="constrained")
for line, activation in zip(axes, ("tanh", "sigmoid", "relu"), strict=True):
    for ax, (name, initializer) in zip(line, INITIALIZERS.items(), strict=True):
        flyball.utils.set_random_seed(0)
        model = flyball.Sequential([layers.Input((64,))])
        for _ in range(LAYERS):
            model.add(layers.Dense(UNITS, activation, kernel_initializer=initializer))
        model.add(layers.Dense(10, "softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        found = inspect.activation_statistics(model, x[:300])
        display = ActivationHistogramDisplay(found.rows[:LAYERS])
        model.fit(x, y, batch_size=64, epochs=2 if figures.quick else 8, verbose=0)
        accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
        display.plot(ax, title=f"{activation}, {name}: {100 * accuracy:.0f} %")
        key = f"{activation} {name.replace('²', '^2')}"
        first, last = found[0], found[LAYERS - 1]
        print(f"{key}: {' | '.join(w.partition(':')[0] for w in found.warnings) or 'no warning'}")
        figures.say(
            **{
                f"{key} signal kept": last.signal / first.signal,
                f"{key} saturated": last.saturated,
                f"{key} accuracy": accuracy,
            }
        )
for ax in axes[:-1].ravel():
    ax.set_xlabel("")
for ax in np.ravel(axes[:, 1:]):
    ax.set_ylabel("")
epochs = "2 epochs" if figures.quick else "8 epochs"
figures.save(
    figure,
    "initialisation",
    f"Outputs of ten layers before training, with their standard deviation; and the test accuracy after {epochs}",
)
