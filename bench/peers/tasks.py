"""What is measured: networks, operations and their sizes, and how a worker times one of them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RATE = 0.5
L2 = 1e-4
LEARNING_RATE = 1e-3
UPDATE_RATE = 1e-6
"""Of updates alone, whose gradient is always the same: weights that have come to rest have denormal moments."""
STEPS = 50
"""Steps in one epoch."""


@dataclass(frozen=True)
class Network:
    """Dense + batch normalisation + ReLU + dropout on each hidden layer, then softmax cross-entropy."""

    inputs: int
    hidden: tuple[int, ...]
    classes: int
    batch: int

    def data(self, steps: int = STEPS) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Inputs and labels that can be learnt, for ``steps`` steps."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((steps * self.batch, self.inputs), dtype=np.float32)
        teacher = rng.standard_normal((self.inputs, self.classes), dtype=np.float32)
        return x, np.argmax(x @ teacher, axis=1).astype(np.int64)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a step: forward, weight gradient, and input gradient of all layers but the first."""
        sizes = (self.inputs, *self.hidden, self.classes)
        products = [a * b for a, b in pairwise(sizes)]
        return self.batch * (3 * sum(products) - products[0])


NETWORKS = {
    "tiny": Network(8, (32, 32), 2, 32),
    "tab": Network(32, (128, 128), 2, 128),
    "digits": Network(64, (256, 256), 10, 128),
    "mnist": Network(784, (512, 512), 10, 128),
    "wide": Network(784, (1024, 1024), 10, 256),
}

SHAPES = ((128, 256), (1024, 512), (8192, 1024))
IMAGES = ((32, 64, 56, 56), (128, 16, 32, 32))  # samples, channels, rows, columns
GROUPS = 32
PRODUCTS = ((128, 256, 256), (128, 512, 784), (784, 512, 128), (1024, 1024, 1024))  # rows, columns, inner
SIZES = (1_000_000, 20_000_000)
CLASSES = ((128, 10), (1024, 1000))
ACTIVATIONS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x < 0, 0.2 * x, x),
    "elu": lambda x: np.where(x < 0, np.expm1(x), x),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "gelu": lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
}
"""Measured activations, forward and backward, by their formulas."""
SIZES = (10_000, 1_000_000, 20_000_000)
UPDATES = ("sgd", "adam", "adamw", "rmsprop", "adagrad")
L1, DECAY, CLIP = 1e-5, 1e-4, 1.0
"""What penalised updates have besides L2; peers without them do the plain update."""
PICTURES = ((10_000, 28, 28, 1), (256, 32, 32, 3))  # number, height, width, channels
OPERATIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "batch_norm_forward": SHAPES,
    "batch_norm": SHAPES,
    "batch_norm_images": IMAGES,
    "batch_norm_images_last": IMAGES,
    "layer_norm": (SHAPES[1], (32, 64 * 56 * 56)),
    "group_norm": ((1024, 512, 1, 1), IMAGES[0]),
    "add": (SHAPES[-1],),
    "scaled_copy": SHAPES,
    "dropout": SHAPES,
    "alpha_dropout": SHAPES,
    "random_normal": SHAPES,
    "permutation": ((1_000,), (100_000,), (10_000_000,)),
    "batch_norm_relu_dropout": SHAPES,
    "gemm": PRODUCTS,
    "softmax_cross_entropy": CLASSES,
    **{f"activation_{name}": ((1024, 512),) for name in ACTIVATIONS},
    **{update + kind: tuple((size,) for size in SIZES) for kind in ("", "_penalised") for update in UPDATES},
    "augment": PICTURES,
}


class Job(NamedTuple):
    """Something to time: ``run()`` does ``count`` of it; ``check()`` raises if what it did was wrong."""

    run: Callable[[], Any]
    count: int
    check: Callable[[], None]


def matrix(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32)


def pictures(*shape: int) -> NDArray[np.float32]:
    """Images whose neighbouring pixels are alike."""
    noise = np.random.default_rng(0).random(shape, dtype=np.float32)
    return (noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2)) / 3


def maps(number: int, height: int, width: int) -> NDArray[np.float64]:
    """Matrices (number, 2, 3) from pixels of the output to the input's: rotation, shift, zoom and flip."""
    rng = np.random.default_rng(1)
    angle, zoom = rng.uniform(-0.6, 0.6, number), rng.uniform(0.8, 1.2, number)
    flip = rng.choice([-1.0, 1.0], number)
    linear = zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle) * flip, np.cos(angle) * flip]])
    linear = np.moveaxis(linear, -1, 0)
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    shift = rng.uniform(-3, 3, (number, 2))
    offset = middle - np.einsum("nij,nj->ni", linear, middle + shift)
    return np.ascontiguousarray(np.concatenate([linear, offset[..., None]], axis=2))


def resampled(x: NDArray[np.float32], matrices: NDArray[np.float64]) -> NDArray[np.float32]:
    """The first images by the formula, bilinear, with zeros outside."""
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    _, height, width, _ = x.shape
    i, j = np.mgrid[:height, :width]
    result = np.empty_like(x)
    for n, ((a, b, c), (d, e, f)) in enumerate(matrices):
        row, column = np.clip(a * i + b * j + c, -1, height), np.clip(d * i + e * j + f, -1, width)
        r, s = np.floor(row).astype(int), np.floor(column).astype(int)
        u, v = (row - r)[..., None], (column - s)[..., None]
        corner = padded[n][r + 1, s + 1] * (1 - v) + padded[n][r + 1, s + 2] * v
        below = padded[n][r + 2, s + 1] * (1 - v) + padded[n][r + 2, s + 2] * v
        result[n] = corner * (1 - u) + below * u
    return result


def learns(first: float, last: float) -> None:
    """Check that training did something: a peer that is fast because it does nothing does not count."""
    if not last < 0.9 * first:
        raise AssertionError(f"the loss must fall, went from {first:.4f} to {last:.4f}")


def normalised(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Batch-normalised columns, with gamma 1, beta 0 and epsilon 1e-5."""
    wide = x.astype(np.float64)
    result: NDArray[np.float32] = ((wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-5)).astype(np.float32)
    return result


def images(shape: tuple[int, ...], last: bool, seed: int = 0) -> NDArray[np.float32]:
    """Images with channels first in the shape, and last in memory if wanted."""
    n, c, h, w = shape
    x = np.random.default_rng(seed).standard_normal((n, h, w, c) if last else shape, dtype=np.float32)
    return np.moveaxis(x, -1, 1) if last else x


def normalised_over(x: NDArray[np.float32], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Values with mean 0 and variance 1 over ``axes``, with epsilon 1e-5."""
    wide = x.astype(np.float64)
    return (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + 1e-5)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-3, atol=1e-3)


def standard_normal(y: Any) -> None:
    """Check mean and variance."""
    values = np.asarray(y, np.float64)
    if abs(values.mean()) > 0.05 or abs(values.var() - 1) > 0.05:
        raise AssertionError(f"mean and variance must be 0 and 1, got {values.mean()} and {values.var()}")


def permuted(order: Any) -> None:
    """Check that each index is there once, and out of place."""
    order = np.asarray(order)
    if not np.array_equal(np.sort(order), np.arange(order.size)) or np.all(order[1:] > order[:-1]):
        raise AssertionError("indices must be there once each, in another order")


def activated(name: str, rows: int, columns: int) -> NDArray[np.float64]:
    """What an activation makes of the first rows of the matrix that peers are given."""
    return ACTIVATIONS[name](matrix(rows, columns)[:4].astype(np.float64))


def mean_cross_entropy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Loss of the softmax, in float64."""
    wide = logits.astype(np.float64)
    return float(np.mean(np.logaddexp.reduce(wide, axis=1) - wide[np.arange(len(labels)), labels]))


def kept_half(y: Any) -> None:
    """Check that about half of the elements were dropped."""
    share = float(np.mean(np.asarray(y) == 0))
    if abs(share - RATE) > 0.02:
        raise AssertionError(f"dropout must drop {RATE} of the elements, dropped {share}")


def seconds_per_run(job: Job, seconds: float) -> float:
    """Fastest of the runs that fit into ``seconds``, at least three, divided by the job's count."""
    fastest = float("inf")
    deadline = time.perf_counter() + seconds
    runs = 0
    while runs < 3 or time.perf_counter() < deadline:
        begin = time.perf_counter()
        job.run()
        fastest = min(fastest, time.perf_counter() - begin)
        runs += 1
    return fastest / job.count
