"""What training takes beside the data: one batch of activations, and a constant."""

import tracemalloc

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.program.instructions import Kind

CONSTANT = 3 * 2**20
"""Bytes: checks look at a million elements at a time, Python makes its objects."""


def peak_of_fit(rows, tmp_path):
    fb.utils.set_random_seed(0)
    model = fb.Sequential(
        [layers.Input((256,)), layers.Dense(512), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5)]
    )
    model.add(layers.Dense(2))
    model.compile("adam", "mean_squared_error")
    path = tmp_path / f"{rows}.bin"
    x = np.memmap(path, "float32", "w+", shape=(rows, 256))
    y = np.zeros((rows, 2), "float32")
    program = model.program(x, y, 128).program
    needed = sum(b.nbytes for b in program.buffers.values() if b.kind is Kind.BATCH and b.base is None)
    needed += 2 * model._memory.parameters.nbytes  # Adam's state
    tracemalloc.start()
    try:
        model.fit(x, y, 128, epochs=1, verbose=0, shuffle=True)
        return tracemalloc.get_traced_memory()[1], needed
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [1000, 60_000])
def test_fit_needs_one_batch_the_optimisers_state_and_a_constant(rows, tmp_path):
    peak, needed = peak_of_fit(rows, tmp_path)
    order = 3 * 8 * rows  # the order of the samples, and what shuffles it
    assert peak <= needed + order + CONSTANT
    assert needed > 1_500_000
