"""A Program on a busy machine goes down to one thread and comes back: decided by rates, tested without a clock."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import flyball as fb
import flyball._core as native
from flyball import layers

SLICE = 0.05
PROBE = 0.01


class Machine:
    """Runs slices of a Program that asks for two threads at the rates, in rows a second, that it is told."""

    def __init__(self, predicted=1000.0):
        self.pace = native.Pace()
        self.predicted = predicted
        self.now = 0.0
        self.history = []

    def run(self, seconds, one, both):
        """Return the share of the time in which one thread ran."""
        begin, alone = self.now, 0.0
        while self.now < begin + seconds:
            threads = self.pace.threads(2)
            rate = one if threads == 1 else both
            length = PROBE if self.pace.probing() else SLICE
            rows = max(1, round(rate * length))
            self.pace.note(threads == 1, rows, rows / rate, rows / self.predicted)
            self.now += rows / rate
            alone += rows / rate if threads == 1 else 0.0
            self.history.append(threads)
        return alone / (self.now - begin)


def test_a_calm_machine_is_never_probed():
    assert Machine().run(100, one=550, both=1000) == 0


@pytest.mark.parametrize("predicted", [300.0, 1000.0, 3900.0])
def test_rough_predictions_cost_nothing(predicted):
    assert Machine(predicted).run(100, one=550, both=1000) == 0


@pytest.mark.parametrize("both", [90, 250])
def test_threads_in_each_other_s_way_leave_it_to_one_and_come_back(both):
    machine = Machine()
    machine.run(1, one=550, both=1000)
    assert machine.run(1, one=300, both=both) > 0.5
    assert machine.run(10, one=300, both=both) > 0.9
    machine.run(5, one=550, both=1000)  # until it has noticed
    assert machine.run(100, one=550, both=1000) == 0


def test_a_machine_that_is_busy_from_the_start():
    assert Machine().run(10, one=300, both=90) > 0.9


def test_slow_threads_that_are_still_the_faster_are_kept():
    machine = Machine()
    machine.run(1, one=550, both=1000)
    assert machine.run(100, one=280, both=500) < 0.02


def test_a_slow_start_is_not_taken_for_a_busy_machine():
    machine = Machine()
    machine.run(SLICE, one=550, both=100)
    assert machine.run(10, one=550, both=1000) == 0


def test_threads_that_others_took_are_not_mistaken():
    """Another Program's lease may leave one thread where two were asked for."""
    pace = native.Pace()
    for _ in range(100):
        pace.note(True, 50, 0.05, 0.05)
        assert pace.threads(2) == 2
    pace.note(False, 50, 0.05, 0.05)
    assert pace.threads(2) == 2


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
