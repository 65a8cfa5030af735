"""Both backends, every level, 1 to 3 threads, both dtypes: one formula."""

import numpy as np
import pytest

import flyball._core as native
from flyball import reference
from parity.cases import OPERATIONS, SHAPES, Make
from parity.harness import BACKENDS, LEVELS, THREADS, assert_close, assert_same_bits, expected, run

TABLE = [
    pytest.param(name, variant, id=f"{name}-{i}")
    for name, operation in OPERATIONS.items()
    for i, variant in enumerate(operation.variants)
]


def cases(name, variant, dtype):
    for index, (rows, columns) in enumerate(SHAPES):
        if rows >= OPERATIONS[name].least_rows:
            arguments = OPERATIONS[name].arguments(Make(dtype, index), rows, columns, **variant)
            yield arguments, index % 3, (rows, columns)


@pytest.mark.parametrize(("name", "variant"), TABLE)
def test_reference_is_the_formula(name, variant, dtype):
    for arguments, offset, shape in cases(name, variant, dtype):
        outputs, inputs = expected(name, arguments)
        assert_close(name, dtype, outputs, inputs, run(reference, name, arguments, offset), shape)


@pytest.mark.parametrize(("name", "variant"), TABLE)
def test_native_is_the_formula_at_every_level_with_any_threads(name, variant, dtype):
    for arguments, offset, shape in cases(name, variant, dtype):
        outputs, inputs = expected(name, arguments)
        for level in LEVELS:
            native.set_level(level)
            first = None
            for threads in THREADS:
                native.set_num_threads(threads)
                got = run(native, name, arguments, offset)
                if first is None:
                    first = got
                    assert_close(name, dtype, outputs, inputs, got, f"{shape} {level}")
                assert_same_bits(first, got, f"{shape} {level} {threads} threads")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.in_place])
def test_an_output_may_be_its_input(backend, name, dtype):
    output, source = OPERATIONS[name].in_place
    for variant in OPERATIONS[name].variants:
        for rows, columns in [(2, 3), (7, 16), (33, 17), (600, 40)]:
            arguments = OPERATIONS[name].arguments(Make(dtype, 1), rows, columns, **variant)
            if arguments[output] is None:
                continue
            apart = run(BACKENDS[backend], name, arguments)
            together = {key: np.array(v) if isinstance(v, np.ndarray) else v for key, v in arguments.items()}
            together[output] = together[source]
            getattr(BACKENDS[backend], name)(**together)
            del apart[source], together[source]
            assert_same_bits(apart, together, (variant, rows, columns))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.empty])
def test_empty_arrays(backend, name, dtype):
    for rows, columns in OPERATIONS[name].empty:
        for variant in OPERATIONS[name].variants:
            arguments = OPERATIONS[name].arguments(Make(dtype, 0), rows, columns, **variant)
            outputs, inputs = expected(name, arguments)
            assert_close(name, dtype, outputs, inputs, run(BACKENDS[backend], name, arguments), (rows, columns))
