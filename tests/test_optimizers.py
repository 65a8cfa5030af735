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
    assert adam.params() == {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "nesterov": False, "weight_decay": 0.0}
    assert optimizers.Adam(weight_decay=0.1).params()["weight_decay"] == 0.1


def test_adamw():
    adamw = optimizers.AdamW()
    assert (adamw.weight_decay, adamw.learning_rate, adamw.update_op) == (0.004, 0.001, "adam_update")


@pytest.mark.parametrize("name", optimizers.REGISTRY.classes)
def test_slots_and_params_are_the_operations(name):
    flags = {"SGD": {"momentum": 0.5}, "Adam": {"amsgrad": True}, "AdamW": {"amsgrad": True}}
    flags["RMSprop"] = {"momentum": 0.5, "centered": True}
    flags["Lookahead"] = {"optimizer": optimizers.SGD(momentum=0.5)}
    optimizer = optimizers.REGISTRY.classes[name](**flags.get(name, {}))
    arguments = list(inspect.signature(getattr(Backend, optimizer.update_op)).parameters)[2:]
    slots = arguments[: arguments.index("penalty")]
    assert set(optimizer.slots()) == set(slots) - (set() if name != "Nadam" else {"v_max"})
    scalars = arguments[arguments.index("gradient_scale") + 1 :]
    handled = {"learning_rate", "step", "l1", "l2", "proximal", "clip_value", "clip_penalty"}
    assert set(scalars) - handled == set(optimizer.params())


def test_defaults_are_those_of_keras():
    rates = {name: cls().learning_rate for name, cls in optimizers.REGISTRY.classes.items()}
    assert rates == {name: 0.01 if name in ("SGD", "Lookahead") else 0.001 for name in rates}
    rms, lion, adagrad = optimizers.RMSprop(), optimizers.Lion(), optimizers.Adagrad()
    assert (rms.rho, rms.momentum, rms.epsilon, rms.centered) == (0.9, 0.0, 1e-7, False)
    assert (lion.beta_1, lion.beta_2) == (0.9, 0.99)
    assert (adagrad.initial_accumulator_value, adagrad.update().initial) == (0.1, 0.1)
    assert optimizers.Adadelta().rho == 0.95
    assert rms.ema_momentum == 0.99


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
        *(cls() for cls in optimizers.REGISTRY.classes.values()),
        optimizers.RMSprop(0.1, centered=True, clipnorm=1.0, use_ema=True, ema_momentum=0.5),
        optimizers.Lion(global_clipnorm=2.0, weight_decay=0.1),
        optimizers.SGD(clipvalue=2.0),
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
            "adamw, nadam, adamax, rmsprop, adagrad, adadelta, lion, got 'adm'; did you",
        ),
        (lambda: optimizers.get(None), "got None"),
        (lambda: optimizers.SGD(clipnorm=0.0), "clipnorm must be in (0, inf), got 0.0"),
        (
            lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
            "one of clipnorm, clipvalue and global_clipnorm must be given at most, got {'clipnorm': 1.0, 'clipvalue'",
        ),
        (lambda: optimizers.Lion(beta_1=0.0), "beta_1 must be in (0, 1), got 0.0"),
        (lambda: optimizers.RMSprop(ema_momentum=1.5), "ema_momentum must be in [0, 1], got 1.5"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_unknown_arguments():
    with pytest.raises(
        TypeError, match=r"Adam got an unexpected keyword argument 'clip_norm'; did you mean 'clipnorm'"
    ):
        optimizers.Adam(clip_norm=1.0)
