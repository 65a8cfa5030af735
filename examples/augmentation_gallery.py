"""Ten handwritten digits of scikit-learn, augmented in each way, as one picture.

Run it with ``python examples/augmentation_gallery.py [file.png]``; it takes a few seconds, and prints the share of the
pixels of 6 and 9 that their policy left where they were.
"""

import sys

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_digits

from flyball import functional

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend that needs no screen

SEED = 3
DIGITS = 10

images, labels = load_digits(return_X_y=True)
first = [int(np.flatnonzero(labels == digit)[0]) for digit in range(DIGITS)]
images, labels = images[first].reshape(DIGITS, 8, 8) / 16, labels[first]
images = np.kron(images, np.ones((3, 3)))  # 24 x 24, so that a turn is seen
black = {"fill_mode": "constant", "seed": SEED}
pixels = {"value_range": (0.0, 1.0), "seed": SEED}
upright = {"rotation": (0.0, 0.0), "horizontal_flip": 0.0, "vertical_flip": 0.0}
half_turns = functional.augment_images(
    images, rotation=(0.5, 0.5), labels=labels, policy={6: upright, 9: upright}, **black
)
noise = np.random.default_rng(SEED).standard_normal(images.shape)

rows = {
    "as they are": images,
    "shift": functional.augment_images(images, height_shift=0.2, width_shift=0.2, **black),
    "rotation": functional.augment_images(images, rotation=0.12, **black),
    "zoom": functional.augment_images(images, height_zoom=0.4, **black),
    "stretch": functional.augment_images(images, height_zoom=0.3, width_zoom=0.3, **black),
    "shear": functional.augment_images(images, width_shear=0.6, **black),
    "flips": functional.augment_images(images, horizontal_flip=0.5, vertical_flip=0.5, **black),
    "half turns, not of 6 and 9": half_turns,
    "all together": functional.augment_images(
        images, rotation=0.06, height_shift=0.1, width_shift=0.1, height_zoom=0.2, width_shear=0.2, **black
    ),
    "random crop": functional.augment_images(images, size=(18, 18), padding=2, **black),
    "brightness": functional.adjust_pixels(images, brightness=0.5, **pixels),
    "contrast": functional.adjust_pixels(images, contrast=(-0.9, 0.0), **pixels),
    "noise": functional.add_noise(images, noise, 0.25, value_range=(0.0, 1.0)),
    "erasing": functional.random_erasing(images, scale=(0.05, 0.2), fill_value=0.5, seed=SEED),
    "mix-up": functional.mix_up(images, labels, 1.0, classes=DIGITS, seed=SEED).x,
    "cut-mix": functional.cut_mix(images, labels, classes=DIGITS, seed=SEED).x,
}

figure, axes = plt.subplots(len(rows), DIGITS, figsize=(DIGITS, len(rows)))
for (name, pictures), line in zip(rows.items(), axes, strict=True):
    for picture, place in zip(pictures, line, strict=True):
        place.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0)
        place.set_xticks([])
        place.set_yticks([])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "augmentation_gallery.png", dpi=100, bbox_inches="tight")

kept = np.isin(labels, [6, 9])
same = np.mean(half_turns[kept] == images[kept])
print(f"share of the pixels of 6 and 9 that half turns left where they were: {same:.3f}")
