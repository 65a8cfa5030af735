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


# What may be the same memory, by the Protocol.
IN_PLACE = [
    ("batch_norm_forward", "y", "x"),
    ("batch_norm_backward", "dx", "dy"),
    ("batch_norm_inference", "y", "x"),
    ("dropout_forward", "y", "x"),
    ("dropout_backward", "dx", "dy"),
    ("relu_forward", "y", "x"),
    ("relu_backward", "dx", "dy"),
    ("softmax_forward", "y", "x"),
    ("softmax_backward", "dx", "dy"),
    ("softmax_cross_entropy", "dlogits", "logits"),
    ("softmax_cross_entropy_soft", "dlogits", "logits"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "output", "source"), IN_PLACE)
def test_an_output_may_be_its_input(backend, name, output, source, dtype):
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


# No rows, no columns, or nothing to add up: not an error below the faces, and nothing is read or written.
EMPTY = {
    "matmul": [(0, 5), (5, 0)],
    "dense_forward": [(0, 5), (5, 0)],
    "dense_backward": [(0, 5), (5, 0)],
    "batch_norm_inference": [(0, 5), (5, 0)],
    "dropout_mask": [(0, 5), (5, 0)],
    "dropout_forward": [(0, 5), (5, 0)],
    "dropout_backward": [(0, 5), (5, 0)],
    "relu_forward": [(0, 5), (5, 0)],
    "relu_backward": [(0, 5), (5, 0)],
    "softmax_forward": [(0, 5)],
    "softmax_backward": [(0, 5)],
    "mean_squared_error": [(0, 5)],
    "sgd_update": [(0, 5)],
    "adam_update": [(0, 5)],
    "add_total": [(0, 5)],
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays(backend, name, dtype):
    for rows, columns in EMPTY[name]:
        for variant in OPERATIONS[name].variants:
            arguments = OPERATIONS[name].arguments(Make(dtype, 0), rows, columns, **variant)
            outputs, inputs = expected(name, arguments)
            assert_close(name, dtype, outputs, inputs, run(BACKENDS[backend], name, arguments), (rows, columns))
