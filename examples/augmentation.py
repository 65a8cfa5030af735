"""Augmentation: handwritten digits moved on the fly, what it brings with few of them, and 6 against 9.

The gallery shows each way of augmenting, with a policy that never turns a 6 or a 9 upside down. Then networks are
trained on few digits, as they are and augmented at each step: their test accuracy by the number of digits. At last the
same with turns of all classes, and of all but 6 and 9: how often one of the two is taken for the other.
"""

import numpy as np
from _figure import Figures, digits, plain, plt

import flyball
from flyball import functional, layers
from flyball.plotting import AugmentationDisplay

SEED = 3
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"

figures = Figures(__doc__)
x, y, x_test, y_test = digits()
x, x_test = x.reshape(-1, 8, 8), x_test.reshape(-1, 8, 8)

# --- the gallery ---
first = [int(np.flatnonzero(y == digit)[0]) for digit in range(10)]
images = np.kron(x[first], np.ones((1, 3, 3), np.float32))  # 24 x 24, so that a turn is seen
upright = {"rotation": (0.0, 0.0)}
black = {"fill_mode": "constant", "seed": SEED}
pixels = {"value_range": (0.0, 1.0), "seed": SEED}
noise = np.random.default_rng(SEED).standard_normal(images.shape).astype(np.float32)
gallery = AugmentationDisplay.from_functions(
    images,
    {
        "shift": lambda x: functional.augment_images(x, height_shift=0.2, width_shift=0.2, **black),
        "rotation": lambda x: functional.augment_images(x, rotation=0.12, **black),
        "zoom": lambda x: functional.augment_images(x, height_zoom=0.4, **black),
        "stretch": lambda x: functional.augment_images(x, height_zoom=0.3, width_zoom=0.3, **black),
        "shear": lambda x: functional.augment_images(x, width_shear=0.6, **black),
        "flips": lambda x: functional.augment_images(x, horizontal_flip=0.5, vertical_flip=0.5, **black),
        "half turns, not of 6 and 9": lambda x: functional.augment_images(
            x, rotation=(0.5, 0.5), labels=np.arange(10), policy={6: upright, 9: upright}, **black
        ),
        "brightness": lambda x: functional.adjust_pixels(x, brightness=0.5, **pixels),
        "contrast": lambda x: functional.adjust_pixels(x, contrast=(-0.9, 0.0), **pixels),
        "noise": lambda x: functional.add_noise(x, noise, 0.25, value_range=(0.0, 1.0)),
        "erasing": lambda x: functional.random_erasing(x, scale=(0.05, 0.2), fill_value=0.5, seed=SEED),
        "mix-up": lambda x: functional.mix_up(x, np.arange(10), 1.0, classes=10, seed=SEED).x,
        "cut-mix": lambda x: functional.cut_mix(x, np.arange(10), classes=10, seed=SEED).x,
    },
    labels=range(10),
).plot(value_range=(0.0, 1.0))
turned = gallery.rows["half turns, not of 6 and 9"]
same = [float(np.mean(new == old)) for new, old in zip(turned, images, strict=True)]
figures.say(**{"6 and 9 left as they are": min(same[6], same[9]), "2 left as it is": same[2]})
figures.save(gallery.figure_, "augmentation_gallery")


# --- what it brings ---
def network(*augmentation):
    """Return a network behind layers that act in training only."""
    flyball.utils.set_random_seed(0)
    model = flyball.Sequential([layers.Input((8, 8)), *augmentation, layers.Flatten()])
    model.add(layers.Dense(256, "relu", kernel_initializer="he_normal"))
    model.add(layers.Dense(10, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


shifts = {"height_shift": (-0.125, 0.125), "width_shift": (-0.125, 0.125), "fill_mode": "constant"}
x_shifted = functional.augment_images(x_test, **shifts, seed=1)
figure, axes = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
sizes = (60, 250) if figures.quick else (30, 60, 120, 250, 500, 1000)
steps = 3000 if figures.quick else 8000
for name, augmentation, colour in (("as they are", {}, BLUE), ("shifted in training", {"shift": 0.12}, RED)):
    scores = []
    for rows in sizes:
        shift = [layers.RandomTranslation(rate, rate, fill_mode="constant") for rate in augmentation.values()]
        model = network(*shift)
        model.fit(x[:rows], y[:rows], batch_size=32, epochs=steps // -(-rows // 32), verbose=0)
        scores.append([model.evaluate(data, y_test, verbose=0)[1] for data in (x_test, x_shifted)])
        figures.say(**{f"{rows} digits {name}": scores[-1][0], f"{rows} digits {name}, shifted tests": scores[-1][1]})
    for line, dashes, what in zip(np.transpose(scores), ("-", "--"), ("", ": shifted test digits"), strict=True):
        axes[0].semilogx(sizes, line, "o", linestyle=dashes, color=colour, linewidth=2.2, label=name + what)
plain(axes[0], "Test accuracy by the number of digits", "digits to train on")
axes[0].set_xticks(sizes, sizes)
axes[0].set_xticks([], minor=True)
axes[0].legend(frameon=False, fontsize=9)

turns = {"fill_mode": "constant", "factor": (-0.5, 0.5)}
cases = {
    "none": (),
    "all classes": (layers.RandomRotation(**turns),),
    "not 6 and 9": (layers.RandomRotation(**turns, policy={6: None, 9: None}),),
}
either = np.isin(y_test, [6, 9])
bars = []
for name, augmentation in cases.items():
    model = network(*augmentation)
    model.fit(x, y, batch_size=32, epochs=5 if figures.quick else 60, verbose=0)
    chosen = model.predict(x_test).argmax(axis=1)
    confused = np.mean((chosen[either] != y_test[either]) & np.isin(chosen[either], [6, 9]))
    bars.append(100 * confused)
    figures.say(**{f"turns of {name}: 6 and 9 confused": confused})
axes[1].bar(list(cases), bars, color=[BLUE, RED, GREEN], width=0.6)
for i, bar in enumerate(bars):
    axes[1].annotate(f"{bar:.1f} %", (i, bar), xytext=(0, 3), textcoords="offset points", ha="center")
plain(axes[1], "6 taken for 9, or 9 for 6, by what was turned in training")
axes[1].grid(axis="x", visible=False)
figures.save(figure, "augmentation")
