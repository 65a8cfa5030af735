"""What augmentation adds to a training step: microseconds, and the share of a step without it.

``python bench/augmentation.py [--units 512 512]`` prints a table in Markdown: batches of 128 images of 28 x 28 bytes,
each row the same network behind other layers. Instructions are timed one by one, as ``model.profile`` does, so that a
row's time is what its layers add; the step is that of the network without them.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

import flyball
from flyball import _core, layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.layers import Layer

BATCH = 128

CASES: dict[str, Callable[[], list[Layer]]] = {
    "RandomFlip": lambda: [layers.RandomFlip("horizontal")],
    "RandomCrop, padding 2": lambda: [layers.RandomCrop(28, 28, padding=2)],
    "RandomRotation": lambda: [layers.RandomRotation(0.1)],
    "RandomRotation, nearest": lambda: [layers.RandomRotation(0.1, interpolation="nearest")],
    "flip, rotation, zoom and translation": lambda: [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
    ],
    "the same with a policy": lambda: [
        layers.RandomAffine(0.1, 0.1, 0.1, 0.1, horizontal_flip=0.5, policy={6: None, 9: {"rotation": 0.02}})
    ],
    "RandomBrightness and RandomContrast": lambda: [layers.RandomBrightness(0.1), layers.RandomContrast(0.2)],
    "RandomColorJitter": lambda: [layers.RandomColorJitter((0, 255), 0.1, 0.2)],
    "RandomErasing, constant": lambda: [layers.RandomErasing(fill_value=0.0)],
    "RandomErasing, noise": lambda: [layers.RandomErasing()],
    "MixUp": lambda: [layers.MixUp()],
    "CutMix": lambda: [layers.CutMix()],
    "SwapNoise": lambda: [layers.SwapNoise(0.1)],
    "FeatureNoise": lambda: [layers.FeatureNoise(0.1)],
    "Rescaling": lambda: [layers.Rescaling(1 / 255)],
}


def seconds(first: list[Layer], units: list[int]) -> tuple[float, float]:
    """Return what a step takes, and which part of it belongs to the layers of ``first``."""
    flyball.utils.set_random_seed(1)
    hidden = [layers.Dense(width, activation="relu") for width in units]
    stack = [layers.Input((28, 28)), *first, layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")]
    model = flyball.Sequential(stack)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).integers(0, 256, (20 * BATCH, 28, 28), dtype=np.uint8)
    lines = model.profile(x, np.arange(len(x)) % 10, BATCH, steps=200).lines
    names = {layer.name for layer in first}
    return sum(line.seconds for line in lines), sum(line.seconds for line in lines if line.layer in names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="*", default=[512, 512], help="widths of the hidden layers")
    units = parser.parse_args().units
    flyball.set_num_threads(1)
    step, _ = seconds([], units)
    print(f"{_core.build_info()}\n\nA step without them: {step * 1e6:,.0f} us\n")
    print("| layers | us | of the step |\n|---|---|---|")
    for name, make in CASES.items():
        added = seconds(make(), units)[1]
        print(f"| {name} | {added * 1e6:,.0f} | {added / step:.1%} |")


if __name__ == "__main__":
    main()
