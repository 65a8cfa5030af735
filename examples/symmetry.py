"""Units that start equal stay equal: a layer of a constant is one unit, many times.

Two networks on handwritten digits, all weights 0.05 in one and random in the other. After training the first layer of
the first has as many different units as before: one. The pictures are the weights of its units.
"""

import numpy as np
from _figure import Figures, digits, plt

import flyball
from flyball import initializers, inspect, layers
from flyball.plotting import LearningCurveDisplay, WeightDisplay

UNITS = 25

figures = Figures(__doc__)
x, y, x_test, y_test = digits(400 if figures.quick else None)
models, histories = {}, {}
for name, initializer in {"constant": initializers.Constant(0.05), "random": "glorot_uniform"}.items():
    flyball.utils.set_random_seed(0)
    models[name] = flyball.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(UNITS, "tanh", kernel_initializer=initializer),
            layers.Dense(10, "softmax", kernel_initializer=initializer),
        ]
    )
    models[name].compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    histories[name] = models[name].fit(
        x, y, epochs=5 if figures.quick else 40, validation_data=(x_test, y_test), verbose=0
    )
    found = inspect.activation_statistics(models[name], x)
    kernel = models[name].get_weights()[0]
    print(f"{name}: {'; '.join(found.warnings) or 'no warning'}")
    figures.say(
        **{
            f"{name} different units": UNITS - len(found[0].copies),
            f"{name} change of weights": np.linalg.norm(kernel - kernel.mean()),
            f"{name} accuracy": histories[name].history["val_accuracy"][-1],
        }
    )

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained", width_ratios=[1, 1, 1.5])
display = WeightDisplay.from_models(models)
display.plot(axes[:2], kind="images", shape=(8, 8), units=UNITS)
axes[0].set_title("Equal at first: one unit, 25 times", loc="left", fontsize=11)
axes[1].set_title("Random at first", loc="left", fontsize=11)
LearningCurveDisplay.from_history(histories, monitor=None).plot(axes[2], metrics="accuracy")
figures.save(figure, "symmetry", "Weights of the units of a first layer, after training")
