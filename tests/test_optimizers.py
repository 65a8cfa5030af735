"""Optimizers: defaults as Keras 3, and what they hand to the update operations."""

from __future__ import annotations

import inspect
import re

import pytest

from flyball import optimizers
from flyball.backend import Backend


def test_sgd():
    sgd = optimizers.SGD()
    assert (sgd.learning_rate, sgd.momentum, sgd.nesterov, sgd.weight_decay, sgd.name) == (
        0.01,
        0.0,
        False,
        None,
        "sgd",
    )
    assert (sgd.update_op, sgd.slots(), sgd.iterations) == ("sgd_update", (), 0)
    assert sgd.params() == {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    assert optimizers.SGD(momentum=0.9).slots() == ("velocity",)


def test_adam():
    adam = optimizers.Adam()
    assert (adam.learning_rate, adam.name, adam.slots(), adam.update_op) == (0.001, "adam", ("m", "v"), "adam_update")
    assert adam.params() == {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": 0.0}
    assert optimizers.Adam(weight_decay=0.1).params()["weight_decay"] == 0.1


def test_adamw():
    adamw = optimizers.AdamW()
    assert (adamw.weight_decay, adamw.learning_rate, adamw.update_op) == (0.004, 0.001, "adam_update")


@pytest.mark.parametrize("optimizer", [optimizers.SGD(momentum=0.5), optimizers.Adam(), optimizers.AdamW()])
def test_slots_and_params_are_the_operations(optimizer):
    arguments = list(inspect.signature(getattr(Backend, optimizer.update_op)).parameters)
    assert arguments[2 : 2 + len(optimizer.slots())] == list(optimizer.slots())
    handled = {"self", "w", "g", "penalty", "learning_rate", "step", "l1", "l2"}
    assert set(arguments) - handled == {*optimizer.slots(), *optimizer.params()}


def test_learning_rate_is_settable_and_checked():
    adam = optimizers.Adam()
    adam.learning_rate = 0.5
    assert adam.learning_rate == 0.5
    with pytest.raises(ValueError, match=re.escape("learning_rate must be in [0, inf), got -1")):
        adam.learning_rate = -1
    assert adam.learning_rate == 0.5


def test_get():
    assert type(optimizers.get("adam")) is optimizers.Adam
    assert type(optimizers.get("SGD")) is optimizers.SGD
    assert type(optimizers.get("AdamW")) is optimizers.AdamW
    assert optimizers.get("adam") is not optimizers.get("adam")
    sgd = optimizers.SGD(0.1)
    assert optimizers.get(sgd) is sgd


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.1, 0.9, True, weight_decay=0.01),
        optimizers.Adam(0.1, epsilon=1e-4, name="a"),
        optimizers.AdamW(),
    ],
)
def test_config_round_trip(optimizer):
    twin = optimizers.get(optimizers.serialize(optimizer))
    assert type(twin) is type(optimizer)
    assert twin.get_config() == optimizer.get_config()


def test_config_has_the_rate_in_use():
    sgd = optimizers.SGD(0.1)
    sgd.learning_rate = 0.05
    assert sgd.get_config()["learning_rate"] == 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.SGD(float("nan")), "learning_rate must be in [0, inf), got nan"),
        (lambda: optimizers.SGD("fast"), "learning_rate must be in [0, inf), got 'fast'"),
        (lambda: optimizers.SGD(momentum=1.1), "momentum must be in [0, 1], got 1.1"),
        (lambda: optimizers.SGD(nesterov=1), "nesterov must be True or False, got 1"),
        (lambda: optimizers.SGD(weight_decay=-1), "weight_decay must be in [0, inf), got -1"),
        (lambda: optimizers.Adam(beta_1=1.0), "beta_1 must be in [0, 1), got 1.0"),
        (lambda: optimizers.Adam(beta_2=-0.1), "beta_2 must be in [0, 1), got -0.1"),
        (lambda: optimizers.Adam(epsilon=0), "epsilon must be in (0, inf), got 0"),
        (lambda: optimizers.Adam(name=3), "name must be a non-empty string, got 3"),
        (
            lambda: optimizers.get("adm"),
            "optimizer must be an optimizer or one of sgd, adam, adamw, got 'adm'; did you",
        ),
        (lambda: optimizers.get(None), "got None"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
