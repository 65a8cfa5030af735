"""Keras' own tests, from its package, of what flyball has under the same names."""

from collections import Counter
from fnmatch import fnmatch

import pytest

pytest.importorskip("absl", reason="Keras' tests are written with it")

from conformance.standins.stage import source_directory, staged, tests_of

if source_directory() is None:
    pytest.skip("Keras, whose tests these are, is not installed", allow_module_level=True)

FILES = [
    "constraints/constraints_test.py",
    "initializers/constant_initializers_test.py",
    "initializers/random_initializers_test.py",
    "losses/loss_test.py",
    "losses/losses_test.py",
    "optimizers/adadelta_test.py",
    "optimizers/adagrad_test.py",
    "optimizers/adam_test.py",
    "optimizers/adamax_test.py",
    "optimizers/adamw_test.py",
    "optimizers/lion_test.py",
    "optimizers/nadam_test.py",
    "optimizers/optimizer_test.py",
    "optimizers/rmsprop_test.py",
    "optimizers/schedules/learning_rate_schedule_test.py",
    "optimizers/sgd_test.py",
    "regularizers/regularizers_test.py",
]

CASES = {f"{file}::{name}": case for file in FILES for name, case in tests_of(file).items()}
NOT_APPLICABLE = {}


def reasons(name):
    return [reason for pattern, reason in NOT_APPLICABLE.items() if fnmatch(name, pattern)]


@pytest.mark.parametrize("name", [name for name in CASES if not reasons(name)])
def test_case(name):
    with staged():
        CASES[name].debug()
