"""Batch normalisation: larger learning rates, and first weights of any size.

Two networks of six layers on handwritten digits, with and without batch normalisation: their learning curves at a small
and at a large learning rate; their test accuracy after a few epochs from first weights N(0, s^2), with s from 0.001 to
1; and what their layers put out at first, as histograms.
"""

import warnings

import numpy as np
from _figure import Figures, digits, plain, plt

import flyball
from flyball import callbacks, initializers, layers, optimizers
from flyball.plotting import ActivationHistogramDisplay, LearningCurveDisplay

LAYERS, UNITS = 6, 64
BLUE, RED = "#0072B2", "#D55E00"


def network(normalised, initializer="he_normal", learning_rate=0.01):
    """Return a compiled network; the normalisation is between the sums and the activation."""
    flyball.utils.set_random_seed(0)
    model = flyball.Sequential([layers.Input((64,))])
    for _ in range(LAYERS):
        model.add(layers.Dense(UNITS, kernel_initializer=initializer, use_bias=not normalised))
        if normalised:
            model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        model.add(layers.ReLU())
    model.add(layers.Dense(10, "softmax"))
    model.compile(optimizers.SGD(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


figures = Figures(__doc__)
x, y, x_test, y_test = digits(500 if figures.quick else None)
x, x_test = x - x.mean(), x_test - x.mean()
fit = {"batch_size": 64, "verbose": 0}
figure, axes = plt.subplots(2, 2, figsize=(12, 8.4), layout="constrained")

for ax, learning_rate in zip(axes[0], (0.02, 1.0), strict=True):
    histories = {}
    for name in ("plain", "batch-norm"):
        model = network(name == "batch-norm", learning_rate=learning_rate)
        epochs = 10 if figures.quick else 25
        histories[name] = model.fit(x, y, epochs=epochs, validation_data=(x_test, y_test), **fit)
        figures.say(**{f"{name} accuracy at rate {learning_rate:g}": histories[name].history["val_accuracy"][-1]})
    LearningCurveDisplay.from_history(histories, monitor=None).plot(ax, metrics="accuracy")
    ax.set_title(f"Accuracy, learning rate {learning_rate:g}", loc="left", fontsize=11)

scales = np.logspace(-3, 0, 4 if figures.quick else 7)
for name, colour in (("plain", BLUE), ("batch-norm", RED)):
    scores = []
    for scale in scales:
        model = network(name == "batch-norm", initializers.RandomNormal(stddev=scale), 0.1)
        with warnings.catch_warnings():  # the plain network diverges from large weights, and is said to
            warnings.simplefilter("ignore", callbacks.DivergenceWarning)
            model.fit(x, y, epochs=5, **fit)
        scores.append(model.evaluate(x_test, y_test, verbose=0)[1])
    axes[1, 0].semilogx(scales, scores, "o-", color=colour, linewidth=2.2, label=name)
    figures.say(**{f"{name} worst accuracy over scales": min(scores), f"{name} best accuracy over scales": max(scores)})
plain(
    axes[1, 0],
    "Test accuracy after 5 epochs, by the size of the first weights",
    "standard deviation of the first weights",
)
axes[1, 0].set_ylim(0, 1.03)
axes[1, 0].legend(frameon=False)

place = axes[1, 1].get_subplotspec().subgridspec(2, 1)
axes[1, 1].set_axis_off()
for i, (name, colour) in enumerate((("plain", BLUE), ("batch-norm", RED))):
    model = network(name == "batch-norm", initializers.RandomNormal(stddev=0.03))
    relus = [layer.name for layer in model.layers if isinstance(layer, layers.ReLU)]
    display = ActivationHistogramDisplay.from_model(model, x, layers=relus, training=True)
    display.plot(
        figure.add_subplot(place[i]), colour=colour, title=f"{name}: outputs of the ReLUs, first weights N(0, 0.03²)"
    )
    display.ax_.set_xticks(range(1, LAYERS + 1), range(1, LAYERS + 1))
    figures.say(**{f"{name} signal kept": display.rows[-1].signal / display.rows[0].signal})
display.ax_.set_xlabel("layer")
figures.save(figure, "batch_normalisation")
