"""How the time of an epoch grows: with rows (memory-mapped where there are most), with parameters, at odd sizes.

``python bench/scaling.py [--rows 7]`` prints three tables in Markdown; ``--rows`` is the largest power of ten. Each
time is the fastest of a few epochs, and a step's is the epoch's divided by its steps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import flyball
from flyball import _core, layers

if TYPE_CHECKING:
    from flyball.training import Trainer

BATCH = 128


def trainer(x: Any, *units: int, batch: int = BATCH) -> Trainer:
    """Dense + batch normalisation + ReLU + dropout on each hidden layer, softmax cross-entropy, Adam."""
    model = flyball.Sequential([layers.Input(x.shape[1:])])
    for width in units[:-1]:
        model.add(layers.Dense(width))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        model.add(layers.Dropout(0.5))
    model.add(layers.Dense(units[-1], activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model._trainer(x, np.arange(len(x)) % units[-1], batch)


def epoch(training: Trainer, rounds: int) -> float:
    """Seconds of the fastest epoch, shuffling included; the first is not counted."""
    training.run_epoch(0, shuffle=True)
    best = np.inf
    for number in range(1, rounds + 1):
        begin = time.perf_counter()
        means = training.run_epoch(number, shuffle=True)
        best = min(best, time.perf_counter() - begin)
    if not np.isfinite(means["data_loss"]):
        raise AssertionError(f"loss must be finite, got {means['data_loss']}")
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=7, help="largest number of rows, as a power of ten (7)")
    largest = parser.parse_args().rows
    print(f"{_core.build_info()}\n\n| rows of 8 features, network 8-32-32-2 | epoch, ms | a step, us |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for power in range(3, largest + 1):
            rows = 10**power
            x: Any = np.empty((rows, 8), np.float32)
            if power >= 6:
                x = np.memmap(Path(folder) / "x", np.float32, "w+", shape=(rows, 8))
            for begin in range(0, rows, 100_000):
                part = x[begin : begin + 100_000]
                part[...] = np.random.default_rng(begin).standard_normal(part.shape, dtype=np.float32)
            training = trainer(x, 32, 32, 2)
            seconds = epoch(training, 2 if power >= 6 else 10)
            kind = ", memory-mapped" if isinstance(x, np.memmap) else ""
            print(f"| {rows:,}{kind} | {seconds * 1e3:,.2f} | {seconds / training.steps * 1e6:.1f} |", flush=True)
    print("\n| network, 12,800 rows | parameters | a step, us | ns a step and 1,000 parameters |\n|---|---|---|---|")
    for width in (32, 64, 128, 256, 512, 1024, 2048):
        x = np.random.default_rng(0).standard_normal((12_800, 64), dtype=np.float32)
        training = trainer(x, width, width, 10)
        parameters = training.memory.parameters.size
        step = epoch(training, 3) / training.steps
        print(
            f"| 64-{width}-{width}-10 | {parameters:,} | {step * 1e6:,.1f} | {step * 1e12 / parameters:,.0f} |",
            flush=True,
        )
    print("\n| network | batch | a step, us | GFLOP/s of its products |\n|---|---|---|---|")
    for inputs, *units in ((96, 304, 80, 8), (100, 300, 77, 5)):
        for batch in (96, 32, 33):
            x = np.random.default_rng(0).standard_normal((200 * batch, inputs), dtype=np.float32)
            training = trainer(x, *units, batch=batch)
            step = min(epoch(training, 20) for _ in range(3)) / training.steps
            sizes = [inputs, *units]
            products = [2 * a * b * batch for a, b in pairwise(sizes)]
            rate = (3 * sum(products) - products[0]) / step / 1e9
            print(f"| {'-'.join(map(str, sizes))} | {batch} | {step * 1e6:.1f} | {rate:.0f} |", flush=True)


if __name__ == "__main__":
    main()
