"""L1 and L2: where they move the minimum, the paths of the weights as they grow, and which weights they leave.

First a regression on two features of the diabetes data: for the same rise of the loss L2 makes both weights smaller,
and L1, whose diamond has corners on the axes, makes one of them exactly 0. Then the weights of all ten features as the
penalty grows, each point a linear model that flyball trained. At last the first layer of a network on handwritten
digits: without a penalty, with L2, with L1 in the gradient, and with proximal L1, whose zeros are exact.
"""

import numpy as np
from _figure import Figures, digits, plain, plt
from sklearn.datasets import load_diabetes

import flyball
from flyball import layers, optimizers, regularizers
from flyball.plotting import PenaltyContourDisplay, WeightDisplay

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")

figures = Figures(__doc__)
data = load_diabetes()
x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
y = (data.target - data.target.mean()) / data.target.std()

# --- two weights ---
pair = [data.feature_names.index(name) for name in ("bmi", "bp")]
names = ["weight of the body mass", "weight of the blood pressure"]
display = PenaltyContourDisplay.from_data(x[:, pair], y, names=names).plot()
for name in ("l1", "l2"):
    solution = display.paths[name][display.chosen[name]]
    figures.say(
        **{
            f"{name} zeros of two weights": (solution == 0).sum(),
            f"{name} smaller weight": np.abs(solution).min(),
            f"{name} loss": display.loss(solution),
        }
    )
figures.save(display.figure_, "penalty_contours")


# --- ten weights ---
def linear(regularizer):
    """Return the weights of a linear model trained with a penalty, all rows in each step."""
    flyball.utils.set_random_seed(0)
    dense = layers.Dense(
        1, use_bias=False, kernel_regularizer=regularizer, kernel_initializer="zeros", input_shape=(x.shape[1],)
    )
    model = flyball.Sequential([dense], dtype="float64")
    # Steps below 2 over the largest curvature, which the penalty adds to.
    model.compile(optimizers.SGD(0.5 / (10.0 + regularizer.l2), momentum=0.0 if regularizer.l1 else 0.9), "mse")
    model.fit(x, y, batch_size=len(x), epochs=600 if figures.quick else 3000, verbose=0)
    return model.get_weights()[0][:, 0]


count = 7 if figures.quick else 21
kinds = {
    "L2": (np.logspace(-2, 2, count), regularizers.L2),
    "L1": (np.logspace(-2, 0.1, count), lambda strength: regularizers.L1(strength, proximal=True)),
}
figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained", sharey=True)
for ax, (name, (strengths, kind)) in zip(axes, kinds.items(), strict=True):
    path = np.array([linear(kind(strength)) for strength in strengths])
    for i, (feature, line) in enumerate(zip(data.feature_names, path.T, strict=True)):
        ax.semilogx(strengths, line, "-" if i < 5 else "--", color=COLOURS[i % 5], linewidth=1.8, label=feature)
    plain(ax, f"{name}: ten weights of a linear model, diabetes data", "$\\lambda$")
    ax.axhline(0, color="#999999", linewidth=1)
    zeros = (path == 0).sum(axis=1)
    figures.say(
        **{
            f"{name} zeros in the middle of the path": zeros[count // 2],
            f"{name} zeros at the end of the path": zeros[-1],
        }
    )
axes[1].legend(frameon=False, fontsize=8.5, ncols=2)
figures.save(figure, "penalty_paths")

# --- a network ---
x, y, x_test, y_test = digits(400)
penalties = {
    "no penalty": None,
    "L2": regularizers.L2(1e-3),
    "L1, in the gradient": regularizers.L1(1e-3),
    "L1, proximal": regularizers.L1(1e-3, proximal=True),
}
models = {}
for name, penalty in penalties.items():
    flyball.utils.set_random_seed(0)
    models[name] = flyball.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(64, "relu", kernel_regularizer=penalty),
            layers.Dense(10, "softmax", kernel_regularizer=penalty),
        ]
    )
    models[name].compile(optimizers.SGD(0.2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    models[name].fit(x, y, epochs=100 if figures.quick else 300, verbose=0)
    figures.say(**{f"{name}: test accuracy": models[name].evaluate(x_test, y_test, verbose=0)[1]})
display = WeightDisplay.from_models(models)
figure, axes = plt.subplots(2, 4, figsize=(14, 6.6), layout="constrained", height_ratios=[1, 1.15])
display.plot(axes[0])
display.plot(axes[1], kind="images", shape=(8, 8), units=16)
for ax in axes[1]:
    ax.set_title("its 16 largest units", loc="left", fontsize=10)
for name, zeros in display.zeros.items():
    weights = display.weights[name]
    figures.say(**{f"{name}: zeros": zeros, f"{name}: norm": np.linalg.norm(weights)})
figures.save(figure, "penalty_weights", "Weights of the first layer of a network on handwritten digits")
