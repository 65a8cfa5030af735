"""Arrays of 2**20 + 3 elements: the results of the reference, and the same bits with several threads."""

import numpy as np
import pytest

import flyball._core as native
from flyball import reference
from parity.cases import OPERATIONS, Make
from parity.harness import LEVELS, assert_close, assert_same_bits, run

ROWS, COLUMNS = 149_797, 7
assert ROWS * COLUMNS == 2**20 + 3
OF_SQUARES = {"orthogonal_penalty"}  # every row by every other
FAMILIES = {"activation", "data", "dropout", "layer_norm", "loss", "norm", "random", "update", "weights"}
NAMES = [
    name
    for name, operation in OPERATIONS.items()
    if operation.oracle.__module__.rpartition(".")[2] in FAMILIES and name not in OF_SQUARES
]
# In double, sums of so many terms, which the two take in another order, differ by more than sums of a few hundred, for
# which each operation has a tolerance of its own.
LEAST = 1e-11


def first_that_writes(name, dtype):
    """Return the arguments of the first variant that changes an array, and the arrays after it on the reference."""
    operation = OPERATIONS[name]
    for variant in operation.variants:
        arguments = operation.arguments(Make(dtype, 1), ROWS, COLUMNS, **variant)
        results = run(reference, name, arguments)
        want = {key: value for key, value in results.items() if isinstance(value, np.ndarray)}
        if any(not np.array_equal(value, arguments[key]) for key, value in want.items()):
            return arguments, want
    raise AssertionError(name)


@pytest.mark.parametrize("name", NAMES)
def test_large_arrays(name, dtype):
    arguments, want = first_that_writes(name, dtype)
    for level in LEVELS:
        native.set_level(level)
        native.set_num_threads(1)
        first = run(native, name, arguments)
        assert_close(name, dtype, want, {}, first, level, LEAST)
        native.set_num_threads(3)
        assert_same_bits(first, run(native, name, arguments), level)
