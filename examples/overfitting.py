"""Underfitting, overfitting, and the point at which to stop.

A noisy sine: networks that are too small, about right, and too large with no regularisation, which goes through the
noise. The large one's learning curve has its lowest validation loss early: early stopping takes the weights from there.
With more data, training and test error come together, as the last picture shows.
"""

import numpy as np
from _figure import Figures, plain, plt

import flyball
from flyball import callbacks, layers, optimizers
from flyball.plotting import LearningCurveDisplay

NOISE = 0.3
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

figures = Figures(__doc__)
rng = np.random.default_rng(4)


def sample(rows):
    """Return points of a noisy sine."""
    x = np.sort(rng.uniform(-1, 1, (rows, 1)), axis=0)
    return x, np.sin(4 * x) + NOISE * rng.standard_normal((rows, 1))


def network(units):
    """Return a network of two layers."""
    flyball.utils.set_random_seed(1)
    model = flyball.Sequential(
        [layers.Input((1,)), layers.Dense(units, "tanh"), layers.Dense(units, "tanh"), layers.Dense(1)]
    )
    model.compile(optimizers.Adam(0.01), "mse")
    return model


def features(x):
    """Return x as the networks see it: spread out, so that they can bend within a few hundred epochs."""
    return 6.0 * x


x, y = sample(30)
x_test, y_test = sample(500)
grid = np.linspace(-1, 1, 300)[:, np.newaxis]
epochs = 600 if figures.quick else 2500

figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained")
stop = callbacks.EarlyStopping(patience=150, restore_best_weights=True)
cases = {
    "too small: 1 unit a layer": (1, []),
    "too large: 100 units a layer": (100, []),
    "as large, stopped early": (100, [stop]),
}
histories, errors = {}, {}
for ax, (title, (units, watchers)) in zip(axes[0], cases.items(), strict=True):
    model = network(units)
    data = {"validation_data": (features(x_test), y_test)}
    histories[title] = model.fit(features(x), y, batch_size=30, epochs=epochs, verbose=0, callbacks=watchers, **data)
    train, test = model.evaluate(features(x), y, verbose=0), model.evaluate(features(x_test), y_test, verbose=0)
    errors[title] = train, test
    ax.plot(grid, np.sin(4 * grid), color="#999999", linewidth=1, label="the sine")
    ax.plot(x, y, "o", color="black", markersize=4, label="what it was trained on")
    ax.plot(grid, model.predict(features(grid)), color=RED, linewidth=2.2, label="the network")
    plain(ax, f"{title}\nerror {train:.3f} in training, {test:.3f} in test")
    ax.set_ylim(-2, 2)
    name = title.partition(":")[0].partition(",")[0]
    figures.say(**{f"{name} train": train, f"{name} test": test})
axes[0, 0].legend(frameon=False, fontsize=9)
figures.say(**{"stopped at": len(histories["as large, stopped early"].epoch), "best epoch": stop.best_epoch + 1})

LearningCurveDisplay.from_history(histories["too large: 100 units a layer"]).plot(axes[1, 0], metrics="loss")
axes[1, 0].set_title("Error of the large network (logarithmic)", loc="left", fontsize=11)
LearningCurveDisplay.from_history(histories["as large, stopped early"]).plot(axes[1, 1], metrics="loss")
axes[1, 1].set_title("The same, stopped early (logarithmic)", loc="left", fontsize=11)

sizes = [20, 80, 320] if figures.quick else [20, 40, 80, 160, 320, 640]
gaps = []
for rows in sizes:
    more, values = sample(rows)
    model = network(30)
    model.fit(
        features(more), values, batch_size=20, epochs=max(1, (20_000 if figures.quick else 60_000) // rows), verbose=0
    )
    gaps.append(
        (model.evaluate(features(more), values, verbose=0), model.evaluate(features(x_test), y_test, verbose=0))
    )
    figures.say(**{f"{rows} rows train": gaps[-1][0], f"{rows} rows test": gaps[-1][1]})
train, test = np.transpose(gaps)
ax = axes[1, 2]
ax.loglog(sizes, test, "o-", color=RED, linewidth=2.2, label="test error")
ax.loglog(sizes, train, "o--", color=BLUE, linewidth=1.6, label="training error")
ax.axhline(NOISE**2, color="#999999", linewidth=1)
ax.annotate("variance of the noise", (sizes[0], NOISE**2), xytext=(0, 4), textcoords="offset points", fontsize=9)
plain(ax, "Error by the number of samples (logarithmic)", "samples to train on")
ax.set_xticks(sizes, sizes)
ax.set_xticks([], minor=True)
ax.set_yticks([0.03, 0.1, 0.3], [0.03, 0.1, 0.3])
ax.set_yticks([], minor=True)
ax.legend(frameon=False)
figures.save(figure, "overfitting")
