"""PyTorch: eager with the fused Adam, and torch.compile."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tasks import (
    GROUPS,
    L2,
    LEARNING_RATE,
    NETWORKS,
    RATE,
    STEPS,
    UPDATE_RATE,
    UPDATES,
    Job,
    activated,
    close,
    images,
    kept_half,
    learns,
    maps,
    matrix,
    mean_cross_entropy,
    normalised,
    normalised_over,
    permuted,
    pictures,
    resampled,
    standard_normal,
)
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable


def start(threads: int) -> str:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def step(name: str, compiled: bool = False) -> Job:
    network = NETWORKS[name]
    x, y = (torch.from_numpy(array) for array in network.data())
    sizes = (network.inputs, *network.hidden)
    stack: list[Any] = []
    for inputs, units in pairwise(sizes):
        stack += [nn.Linear(inputs, units), nn.BatchNorm1d(units), nn.ReLU(), nn.Dropout(RATE)]
    model = nn.Sequential(*stack, nn.Linear(sizes[-1], network.classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, weight_decay=L2, fused=True)
    losses: list[float] = []

    def forward(rows: Any, labels: Any) -> Any:
        return functional.cross_entropy(model(rows), labels)

    if compiled:
        forward = torch.compile(forward)

    def run() -> None:
        order = torch.randperm(len(x))
        total = 0.0
        for begin in range(0, len(x), network.batch):
            rows = order[begin : begin + network.batch]
            optimizer.zero_grad(set_to_none=True)
            loss = forward(x[rows], y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total)

    return Job(run, STEPS, lambda: learns(losses[0], losses[-1]))


def batch_norm_arguments(columns: int) -> tuple[Any, ...]:
    gamma = torch.ones(columns, requires_grad=True)
    beta = torch.zeros(columns, requires_grad=True)
    return torch.zeros(columns), torch.ones(columns), gamma, beta, True


def batch_norm_forward(rows: int, columns: int) -> Job:
    x = torch.from_numpy(matrix(rows, columns))
    arguments = batch_norm_arguments(columns)
    results: list[Any] = [None]

    def run() -> None:
        with torch.no_grad():
            results[0] = functional.batch_norm(x, *arguments)

    return Job(run, 1, lambda: close(results[0], normalised(matrix(rows, columns))))


def forward_backward(rows: int, columns: int, forward: Callable[[Any], Any], check: Callable[[Any], None]) -> Job:
    return forward_backward_of(matrix(rows, columns), matrix(rows, columns, 1), forward, check)


def forward_backward_of(
    x_array: Any, dy_array: Any, forward: Callable[[Any], Any], check: Callable[[Any], None]
) -> Job:
    x = torch.from_numpy(x_array).requires_grad_()
    dy = torch.from_numpy(dy_array)
    results: list[Any] = [None]

    def run() -> None:
        x.grad = None
        y = forward(x)
        y.backward(dy)
        results[0] = y.detach()

    return Job(run, 1, lambda: check(results[0]))


def batch_norm(rows: int, columns: int) -> Job:
    arguments = batch_norm_arguments(columns)
    expected = normalised(matrix(rows, columns))
    return forward_backward(rows, columns, lambda x: functional.batch_norm(x, *arguments), lambda y: close(y, expected))


def batch_norm_relu_dropout(rows: int, columns: int) -> Job:
    arguments = batch_norm_arguments(columns)
    positive = torch.from_numpy(normalised(matrix(rows, columns)) > 0.01)

    def forward(x: Any) -> Any:
        return functional.dropout(functional.relu(functional.batch_norm(x, *arguments)), RATE, True)

    return forward_backward(rows, columns, forward, lambda y: kept_half(y[positive]))


def batch_norm_layout(shape: tuple[int, ...], last: bool) -> Job:
    x, dy = images(shape, last), images(shape, last, 1)
    arguments = batch_norm_arguments(shape[1])
    expected = normalised_over(x, (0, 2, 3))
    return forward_backward_of(x, dy, lambda x: functional.batch_norm(x, *arguments), lambda y: close(y, expected))


def batch_norm_images(*shape: int) -> Job:
    return batch_norm_layout(shape, last=False)


def batch_norm_images_last(*shape: int) -> Job:
    return batch_norm_layout(shape, last=True)


def layer_norm(rows: int, columns: int) -> Job:
    gamma, beta = (value.requires_grad_() for value in (torch.ones(columns), torch.zeros(columns)))
    expected = normalised_over(matrix(rows, columns), (1,))
    return forward_backward(
        rows, columns, lambda x: functional.layer_norm(x, (columns,), gamma, beta), lambda y: close(y, expected)
    )


def group_norm(*shape: int) -> Job:
    x = images(shape, last=False)
    gamma, beta = (value.requires_grad_() for value in (torch.ones(shape[1]), torch.zeros(shape[1])))
    expected = normalised_over(x.reshape(shape[0], GROUPS, -1), (2,)).reshape(shape)
    return forward_backward_of(
        x,
        images(shape, last=False, seed=1),
        lambda x: functional.group_norm(x, GROUPS, gamma, beta),
        lambda y: close(y, expected),
    )


def add(rows: int, columns: int) -> Job:
    """Three arrays moved: the time that memory alone takes."""
    a, b = matrix(rows, columns), matrix(rows, columns, 1)
    left, right, out = torch.from_numpy(a), torch.from_numpy(b), torch.empty(rows, columns)
    return Job(lambda: torch.add(left, right, out=out), 1, lambda: close(out, a + b))


def dropout(rows: int, columns: int) -> Job:
    x = torch.from_numpy(matrix(rows, columns))
    results: list[Any] = [None]

    def run() -> None:
        with torch.no_grad():
            results[0] = functional.dropout(x, RATE, True)

    return Job(run, 1, lambda: kept_half(results[0]))


def scaled_copy(rows: int, columns: int) -> Job:
    x = torch.from_numpy(matrix(rows, columns))
    y = torch.empty_like(x)
    return Job(lambda: torch.mul(x, 1 - RATE, out=y), 1, lambda: close(y, x * (1 - RATE)))


def alpha_dropout(rows: int, columns: int) -> Job:
    x = torch.from_numpy(matrix(rows, columns))
    results: list[Any] = [None]

    def run() -> None:
        with torch.no_grad():
            results[0] = functional.alpha_dropout(x, RATE, True)

    return Job(run, 1, lambda: standard_normal(results[0]))


def random_normal(rows: int, columns: int) -> Job:
    y = torch.empty(rows, columns)
    return Job(y.normal_, 1, lambda: standard_normal(y))


def permutation(size: int) -> Job:
    order = torch.empty(size, dtype=torch.int64)
    return Job(lambda: torch.randperm(size, out=order), 1, lambda: permuted(order))


def gemm(rows: int, columns: int, inner: int) -> Job:
    a, b = matrix(rows, inner), matrix(inner, columns, 1)
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    c = torch.empty(rows, columns)
    return Job(lambda: torch.mm(left, right, out=c), 1, lambda: close(c / inner, a @ b / inner))


def softmax_cross_entropy(rows: int, classes: int) -> Job:
    logits = torch.from_numpy(matrix(rows, classes)).requires_grad_()
    labels = torch.arange(rows) % classes
    results: list[Any] = [None]

    def run() -> None:
        logits.grad = None
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        results[0] = loss.item()

    return Job(run, 1, lambda: close(results[0], mean_cross_entropy(matrix(rows, classes), labels.numpy())))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": functional.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "elu": functional.elu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu": functional.gelu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "mish": functional.mish,
}


def activation(name: str, rows: int, columns: int) -> Job:
    expected = activated(name, rows, columns)
    return forward_backward(rows, columns, ACTIVATIONS[name], lambda y: close(y[:4], expected))


def update(name: str, size: int) -> Job:
    """One step of the fastest kind torch has of an optimizer."""
    w = torch.from_numpy(matrix(1, size)[0]).requires_grad_()
    w.grad = torch.from_numpy(matrix(1, size, 1)[0])
    before = w[:1000].detach().clone()
    options = {"lr": UPDATE_RATE, "weight_decay": L2}
    optimizer: Any
    match name:
        case "sgd":
            optimizer = torch.optim.SGD([w], momentum=0.9, fused=True, **options)
        case "rmsprop":
            optimizer = torch.optim.RMSprop([w], alpha=0.9, foreach=True, **options)
        case "adagrad":
            optimizer = torch.optim.Adagrad([w], fused=True, **options)
        case "adamw":
            optimizer = torch.optim.AdamW([w], fused=True, **options)
        case _:
            optimizer = torch.optim.Adam([w], fused=True, **options)

    def check() -> None:
        if not torch.isfinite(w).all() or torch.equal(w[:1000], before):
            raise AssertionError("the update must change the weights and keep them finite")

    return Job(optimizer.step, 1, check)


def augment(number: int, height: int, width: int, channels: int) -> Job:
    """affine_grid and grid_sample, channels first; coordinates are x before y, in [-1, 1] over the pixels' middles."""
    x, matrices = pictures(number, height, width, channels), maps(number, height, width)
    batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 3, 1)))
    pixels = np.array([[(width - 1) / 2, 0, (width - 1) / 2], [0, (height - 1) / 2, (height - 1) / 2], [0, 0, 1]])
    whole = np.tile(np.eye(3), (number, 1, 1))
    whole[:, :2] = matrices[:, ::-1][:, :, [1, 0, 2]]
    theta = torch.from_numpy((np.linalg.inv(pixels) @ whole @ pixels)[:, :2].astype(np.float32))
    results: list[Any] = [None]

    def run() -> None:
        with torch.no_grad():
            grid = functional.affine_grid(theta, batch.shape, align_corners=True)
            results[0] = functional.grid_sample(batch, grid, padding_mode="zeros", align_corners=True)

    def check() -> None:
        close(np.moveaxis(results[0][:20].numpy(), 1, 3), resampled(x[:20], matrices[:20]))

    return Job(run, 1, check)


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {
    "torch eager": step,
    "torch.compile": lambda name: step(name, compiled=True),
}
OPERATIONS: dict[str, Callable[..., Job]] = (
    {
        function.__name__: function
        for function in (
            batch_norm_forward,
            batch_norm,
            batch_norm_relu_dropout,
            batch_norm_images,
            batch_norm_images_last,
            layer_norm,
            group_norm,
            add,
            dropout,
            scaled_copy,
            alpha_dropout,
            random_normal,
            permutation,
            gemm,
            softmax_cross_entropy,
            augment,
        )
    }
    | {f"activation_{name}": partial(activation, name) for name in ACTIVATIONS}
    | {name + kind: partial(update, name) for kind in ("", "_penalised") for name in UPDATES}
)
