"""A Program on a busy machine goes down to one thread and comes back: decided by rates, tested without a clock."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

import flyball as fb
import flyball._core as native
from flyball import layers

SLICE = 0.05


class Machine:
    """Runs slices of a Program that asks for two threads at the rates, in rows a second, that it is told.

    A slice is of whole steps of ``step`` rows, and of at most ``epoch`` rows.
    """

    def __init__(self, predicted=100_000.0, step=100, epoch=1_000_000, calm=None):
        self.pace = native.Pace(calm or native.Calm())
        self.predicted, self.step, self.epoch = predicted, step, epoch
        self.changes = 0

    def run(self, seconds, one, both):
        """Return the share of the time in which one thread ran."""
        now = alone = 0.0
        before = None
        while now < seconds:
            threads = self.pace.threads(2)
            rate = one if threads == 1 else both
            slice_ = self.pace.slice(SLICE)
            assert 0 < slice_ <= SLICE
            rows = min(self.epoch, self.step * math.ceil(rate * slice_ / self.step))
            self.pace.note(threads == 1, rows, rows / rate, rows / self.predicted)
            now += rows / rate
            alone += rows / rate if threads == 1 else 0.0
            self.changes += threads != before
            before = threads
        return alone / now


@pytest.mark.parametrize("predicted", [30_000.0, 100_000.0, 390_000.0])
@pytest.mark.parametrize("epoch", [100, 1_000_000])
def test_a_calm_machine_is_seldom_probed(predicted, epoch):
    machine = Machine(predicted, epoch=epoch)
    assert machine.run(0.5, one=55_000, both=100_000) < 0.05
    assert machine.run(100, one=55_000, both=100_000) < 0.004


@pytest.mark.parametrize("epoch", [100, 1_000_000])
def test_two_threads_of_one_core_leave_it_to_one_at_once(epoch):
    machine = Machine(epoch=epoch)
    assert machine.run(0.1, one=80_000, both=60_000) > 0.75
    assert machine.run(100, one=80_000, both=60_000) > 0.99


@pytest.mark.parametrize(("both", "alone"), [(100_000, 0), (60_000, 0.08)])
def test_new_programs_begin_with_what_others_found_out(both, alone):
    """A calm machine is not probed again by each; where one thread won, each looks for itself."""
    calm = native.Calm()
    Machine(calm=calm).run(2, one=80_000, both=both)
    share = Machine(calm=calm).run(0.02, one=80_000, both=both)
    assert share >= alone
    assert (share == 0) == (alone == 0)


def test_threads_that_gain_nothing_are_kept_without_going_to_and_fro():
    machine = Machine()
    machine.run(100, one=100_000, both=99_000)
    assert machine.changes < 90


@pytest.mark.parametrize("rows_a_second", [20, 200])
def test_steps_longer_than_a_slice(rows_a_second):
    machine = Machine(predicted=rows_a_second, step=1)
    assert machine.run(2, one=0.55 * rows_a_second, both=rows_a_second) < 0.1
    assert machine.run(60, one=0.55 * rows_a_second, both=rows_a_second) < 0.03


@pytest.mark.parametrize("both", [9_000, 25_000])
def test_threads_in_each_other_s_way_leave_it_to_one_and_come_back(both):
    machine = Machine()
    machine.run(10, one=55_000, both=100_000)  # probes are seldom by now
    assert machine.run(1, one=30_000, both=both) > 0.7
    assert machine.run(10, one=30_000, both=both) > 0.9
    machine.run(5, one=55_000, both=100_000)  # until it has noticed
    assert machine.run(100, one=55_000, both=100_000) < 0.004


def test_a_machine_that_is_busy_from_the_start():
    assert Machine().run(10, one=30_000, both=9_000) > 0.95


def test_slow_threads_that_are_still_the_faster_are_kept():
    machine = Machine()
    machine.run(10, one=55_000, both=100_000)
    assert machine.run(100, one=28_000, both=50_000) < 0.01


def test_a_slow_start_is_not_taken_for_a_busy_machine():
    machine = Machine()
    machine.run(0.005, one=55_000, both=10_000)
    assert machine.run(10, one=55_000, both=100_000) < 0.01


def test_threads_that_others_took_are_not_mistaken():
    """Another Program's lease may leave one thread where two were asked for: that is no probe, and no slow slice."""
    machine = Machine()
    for _ in range(100):
        machine.pace.note(True, 5_000, 0.01, 0.05)
        assert machine.pace.threads(2) == 2
    assert machine.run(10, one=55_000, both=100_000) < 0.01


def test_a_fit_that_changes_its_threads_has_the_same_bits():
    """Busy threads of this process stand for other processes; whatever is decided, the weights are the same."""
    x = np.random.default_rng(0).standard_normal((6400, 32), dtype=np.float32)
    y = x[:, 0] > 0

    def trained(threads):
        native.set_num_threads(threads)
        fb.utils.set_random_seed(0)
        hidden = [layers.Dense(128), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5)]
        model = fb.Sequential([layers.Input((32,)), *hidden, layers.Dense(1, activation="sigmoid")])
        model.compile("adam", "binary_crossentropy")
        model.fit(x, y, batch_size=128, epochs=20, verbose=0)
        return model.fingerprint()

    alone = trained(1)
    over = threading.Event()

    def burn():
        c, a = np.empty((400, 400)), np.ones((400, 400))
        while not over.is_set():
            native.matmul(c, a, a, None, False, False, "linear", 0.0)
            time.sleep(0)

    burners = [threading.Thread(target=burn) for _ in range(3)]
    for burner in burners:
        burner.start()
    try:
        assert trained(2) == alone
    finally:
        over.set()
        for burner in burners:
            burner.join()
