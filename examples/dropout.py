"""Dropout: a network that learns less by heart, and the ensemble of sub-networks that it is.

Learning curves on few handwritten digits with and without dropout, the test loss by the rate (the mean of three
networks, because what a network begins with matters as much), and a small network of two inputs and three hidden units
whose sub-networks are all enumerated: their mean is close to what the whole network predicts without dropout.
"""

import numpy as np
from _figure import Figures, digits, plain, plt

import flyball
from flyball import layers
from flyball.plotting import LearningCurveDisplay, SubnetworksDisplay

BLUE, RED = "#0072B2", "#D55E00"

figures = Figures(__doc__)
x, y, x_test, y_test = digits(300)
epochs = 150 if figures.quick else 200


def network(rate, seed):
    """Return a network with dropout at less than half the rate on its inputs, and at the rate on its hidden units."""
    flyball.utils.set_random_seed(seed)
    model = flyball.Sequential([layers.Input((64,)), layers.Dropout(0.4 * rate)])
    for _ in range(2):
        model.add(layers.Dense(256, "relu", kernel_initializer="he_normal"))
        model.add(layers.Dropout(rate))
    model.add(layers.Dense(10, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


figure, axes = plt.subplots(2, 2, figsize=(12, 9.4), layout="constrained")
histories, losses = {}, {}
rates = (0.0, 0.5, 0.8) if figures.quick else (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
for rate in rates:
    found = []
    for seed in reversed(range(3)):
        model = network(rate, seed)
        histories[rate] = model.fit(x, y, epochs=epochs, validation_data=(x_test, y_test), verbose=0)
        found.append((histories[rate].history["loss"][-1], *model.evaluate(x_test, y_test, verbose=0)))
    train_loss, losses[rate], accuracy = np.mean(found, axis=0)
    figures.say(
        **{
            f"rate {rate:g} train loss": train_loss,
            f"rate {rate:g} test loss": losses[rate],
            f"rate {rate:g} test accuracy": accuracy,
        }
    )
shown = {"plain": histories[0.0], "dropout 0.5": histories[0.5]}
LearningCurveDisplay.from_history(shown, monitor=None).plot(axes[0, 0], metrics="loss")
axes[0, 1].plot(losses.keys(), losses.values(), "o-", color=RED, linewidth=2.2)
plain(axes[0, 1], "Test loss by the rate of dropout", "rate on hidden units")
axes[0, 1].set_ylim(bottom=0)

rng = np.random.default_rng(1)
points = rng.uniform(-1, 1, (400, 2))
classes = (points[:, 0] + points[:, 1] > 0).astype(int)
flyball.utils.set_random_seed(2)
small = flyball.Sequential(
    [
        layers.Input((2,)),
        layers.Dropout(0.2),
        layers.Dense(3, "tanh"),
        layers.Dropout(0.5),
        layers.Dense(1, "sigmoid"),
    ]
)
small.compile("adam", "binary_crossentropy")
small.fit(points, classes, epochs=20 if figures.quick else 50, verbose=0)
display = SubnetworksDisplay.from_model(small, points[:6])
display.plot(axes[1])
spread = display.outputs.std(axis=0).mean()
figures.say(
    **{
        "sub-networks": len(display.masks),
        "spread of the sub-networks": spread,
        "distance of their mean from the scaled network": np.abs(display.mean - display.scaled).max(),
    }
)
figures.save(figure, "dropout")
