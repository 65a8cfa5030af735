"""Noise on weights finds flat minima; soft labels stand up to wrong ones.

Above, two networks on few handwritten digits, one trained with noise on its weights: its loss rises less when the
weights are moved, on the digits it was trained on and on others. Below, a third of the training labels is wrong: with
label smoothing a network is less sure of what it learns by heart, and mistakes fewer test digits (mean of 3 runs).
Smoothed by too much it is less sure than it could be, which its test loss shows.
"""

import numpy as np
from _figure import Figures, digits, plain, plt

import flyball
from flyball import layers, losses, utils
from flyball.plotting import FlatMinimaDisplay

BLUE, RED = "#0072B2", "#D55E00"
WRONG = 0.33

figures = Figures(__doc__)
x, y, x_test, y_test = digits()
few, few_labels, labels_test = x[:300], utils.to_categorical(y[:300], 10), utils.to_categorical(y_test, 10)


def network(noise=0.0, smoothing=0.0, seed=0):
    """Return a network with noise on its weights, and a loss with smoothed labels."""
    flyball.utils.set_random_seed(seed)
    model = flyball.Sequential([layers.Input((64,))])
    for _ in range(2):
        model.add(layers.Dense(128, "relu", kernel_initializer="he_normal", kernel_noise=noise))
    model.add(layers.Dense(10, "softmax", kernel_noise=noise))
    loss = losses.CategoricalCrossentropy(label_smoothing=smoothing)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


figure = plt.figure(figsize=(12, 8.2), layout="constrained")
grid = figure.add_gridspec(2, 6)
axes = [figure.add_subplot(place) for place in (grid[0, :3], grid[0, 3:], grid[1, :2], grid[1, 2:4], grid[1, 4:])]

# --- noise on weights ---
models = {}
for name, noise in (("plain", 0.0), ("with noise on its weights", 0.1)):
    models[name] = network(noise)
    models[name].fit(few, few_labels, epochs=40 if figures.quick else 150, verbose=0)
    loss, accuracy = models[name].evaluate(x_test, labels_test, verbose=0)
    figures.say(**{f"{name}: test loss": loss, f"{name}: test accuracy": accuracy})
directions = {"directions": 8 if figures.quick else 30, "points": 17, "radius": 0.8}
for ax, part, features, targets in zip(
    axes[:2], ("training", "test"), (few, x_test), (few_labels, labels_test), strict=True
):
    display = FlatMinimaDisplay.from_models(models, features, targets, **directions)
    display.plot(ax, title=f"Loss on the {part} digits, along {directions['directions']} random directions")
    for name, rise in display.rise(0.4).items():
        figures.say(**{f"{name}: rise of the {part} loss": rise})

# --- wrong labels ---
rng = np.random.default_rng(0)
wrong = rng.random(len(y)) < WRONG
noisy = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
targets = utils.to_categorical(noisy, 10)
rates = (0.0, 0.3) if figures.quick else (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
test_losses, errors = [], []
for smoothing in rates:
    found = []
    for seed in range(3):
        model = network(smoothing=smoothing, seed=seed)
        model.fit(x, targets, epochs=50, verbose=0)
        probabilities = model.predict(x_test)
        sure = probabilities.max(axis=1)
        right = probabilities[np.arange(len(y_test)), y_test]
        mistakes = probabilities.argmax(axis=1) != y_test
        found.append((-np.mean(np.log(np.maximum(right, 1e-12))), mistakes.mean(), sure.mean()))
    test_loss, error, confidence = np.mean(found, axis=0)
    test_losses.append(test_loss)
    errors.append(error)
    figures.say(
        **{
            f"smoothing {smoothing:g}: test loss": test_loss,
            f"smoothing {smoothing:g}: test error": error,
            f"smoothing {smoothing:g}: mean probability of the choice": confidence,
        }
    )
    if smoothing in {0.0, 0.3}:
        label, colour = ("hard labels", BLUE) if smoothing == 0.0 else ("labels smoothed by 0.3", RED)
        axes[2].hist(sure, np.linspace(0, 1, 26), color=colour, alpha=0.6, label=label)
plain(
    axes[2],
    f"How sure it is of test digits, {100 * WRONG:.0f} % of labels wrong",
    "probability of the choice",
)
axes[2].legend(frameon=False)

for ax, values, title in ((axes[3], errors, "Share of test digits mistaken"), (axes[4], test_losses, "Test loss")):
    ax.plot(rates, values, "o-", color=RED, linewidth=2.2)
    ax.set_ylim(bottom=0)
    plain(ax, title, "share of a label spread over the classes")
figures.save(figure, "noise")
