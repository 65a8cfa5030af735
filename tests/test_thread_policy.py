"""How many threads a Program takes: what a model of their costs predicts, not what a clock says."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flyball as fb
import flyball._core as native
from flyball import layers
from flyball.program.instructions import Kind, Program
from flyball.program.runners import NativeRunner

# Measured on two cores; see csrc/program/program.cpp.
BARRIER = 500e-9
EXCHANGED_BYTE = 0.1e-9
WORTHWHILE = 0.9


def chain(rows, dtype="float32"):
    """Two activations, one after the other: y from x, z from y."""
    program = Program(batch_rows=rows)
    program.buffer("x", np.ones((rows, 16), dtype), Kind.BATCH)
    for y, x in (("y", "x"), ("z", "y")):
        program.batch(y, (rows, 16), np.dtype(dtype))
        arrays = {"y": program.buffers[y], "x": program.buffers[x]}
        program.add("activation_forward", "", arrays, activation="relu", alpha=0.0)
    return NativeRunner(program)


def network(widths, batch, kind="float32"):
    fb.utils.set_random_seed(0)
    inputs, *hidden, classes = widths
    stack = [layers.Input((inputs,))]
    for units in hidden:
        stack += [layers.Dense(units), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5)]
    model = fb.Sequential([*stack, layers.Dense(classes, activation="softmax")], dtype=kind)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.zeros((batch, inputs), kind)
    return model._trainer(x, np.zeros(batch, int), batch)._step_program.runner


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_a_prediction_is_work_shared_and_barriers_and_bytes_exchanged(dtype, threads):
    rows = 4096
    predicted = chain(rows, dtype)._program.predicted_seconds
    written = 2 * rows * 16 * np.dtype(dtype).itemsize  # y and z
    barriers = 2 * math.ceil(math.log2(threads))  # before z, which reads y, and at the end of the step: rounds of each
    expected = predicted(1, rows) / threads + barriers * BARRIER + written * EXCHANGED_BYTE * (1 - 1 / threads)
    assert predicted(threads, rows) == pytest.approx(expected, rel=1e-12)


def test_a_part_of_a_batch_costs_its_part():
    predicted = chain(4096)._program.predicted_seconds
    assert predicted(1, 1024) == pytest.approx(predicted(1, 4096) / 4, rel=1e-12)
    barriers = 2 * BARRIER
    assert predicted(2, 1024) - barriers == pytest.approx((predicted(2, 4096) - barriers) / 4, rel=1e-12)


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("widths", [(8, 32, 32, 2), (32, 128, 128, 2), (64, 256, 256, 10), (784, 512, 512, 10)])
def test_threads_are_added_while_they_pay(widths, limit):
    rows = 128
    runner = network(widths, rows)
    native.set_num_threads(limit)
    predicted = [runner._program.predicted_seconds(threads, rows) for threads in range(1, limit + 1)]
    chosen = runner.threads(rows)
    assert predicted[chosen - 1] == min(predicted[:chosen])
    assert all(seconds > WORTHWHILE * predicted[chosen - 1] for seconds in predicted[chosen:])
    assert chosen == 1 or predicted[chosen - 1] <= WORTHWHILE * predicted[0]


@pytest.mark.parametrize("limit", [2, 8, 64])
def test_small_networks_stay_on_one_thread_and_large_ones_do_not(limit):
    native.set_num_threads(limit)
    assert network((8, 32, 32, 2), 32).threads(32) == 1
    assert network((784, 512, 512, 10), 128).threads(128) >= 2


def test_a_single_row_stays_on_one_thread():
    native.set_num_threads(8)
    assert network((64, 256, 256, 10), 128).threads(1) == 1
