"""Arrays that are as operations want them take a short way through the checks: all others must meet the same fate."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from flyball import functional as F

pytestmark = pytest.mark.usefixtures("each_backend")
RNG = np.random.default_rng(3)
X, Z = (RNG.standard_normal((6, 5)) for _ in range(2))
IMAGES = RNG.standard_normal((2, 3, 4, 6))
ROW, TEN, LABELS, MEAN = np.linspace(0.5, 1.5, 5), np.linspace(0.5, 1.5, 6), np.arange(6) % 5, np.zeros(5)
MASK = X > 0.0
FLOATS = ("x", "dy", "y", "gamma", "beta", "a", "b", "w", "bias", "alpha", "logits", "predictions", "targets")
FLOATS += ("weights", "branch", "noise", "running_mean", "running_var", "g", "m", "v")

CALLS = {
    "activation_forward": (F.activation_forward, {"x": X}, {"activation": "tanh"}),
    "activation_backward": (F.activation_backward, {"dy": Z, "y": X}, {"activation": "relu"}),
    "relu_backward": (F.relu_backward, {"dy": Z, "x": X}, {}),
    "prelu_forward": (F.prelu_forward, {"x": X, "alpha": ROW}, {}),
    "softmax_forward": (F.softmax_forward, {"x": X}, {}),
    "softmax_forward, images": (F.softmax_forward, {"x": IMAGES}, {}),
    "log_softmax_backward": (F.log_softmax_backward, {"dy": Z, "y": X}, {}),
    "dropout_forward": (F.dropout_forward, {"x": X}, {"rate": 0.5, "seed": 3}),
    "dropout_backward": (F.dropout_backward, {"dy": X, "mask": MASK}, {"rate": 0.5}),
    "gaussian_noise_forward": (F.gaussian_noise_forward, {"x": X}, {"std": 0.5, "seed": 3}),
    "add_noise": (F.add_noise, {"x": X, "noise": Z}, {}),
    "add_branch": (F.add_branch, {"x": X, "branch": Z}, {"scale": 0.5}),
    "batch_norm_forward": (F.batch_norm_forward, {"x": X, "gamma": ROW, "beta": ROW}, {}),
    "batch_norm_forward, mask": (F.batch_norm_forward, {"x": X, "mask": MASK}, {"rate": 0.5}),
    "batch_norm_forward, axis 1": (F.batch_norm_forward, {"x": IMAGES}, {"axis": 1}),
    "batch_norm_forward, axis 2": (F.batch_norm_forward, {"x": IMAGES}, {"axis": 2}),
    "batch_norm_backward": (F.batch_norm_backward, {"dy": Z, "x": X, "mean": MEAN, "rstd": ROW, "gamma": ROW}, {}),
    "batch_norm_inference": (F.batch_norm_inference, {"x": X, "running_mean": ROW, "running_var": ROW}, {}),
    "layer_norm_forward": (F.layer_norm_forward, {"x": X, "gamma": ROW, "beta": ROW}, {}),
    "layer_norm_forward, images": (F.layer_norm_forward, {"x": IMAGES, "gamma": IMAGES[0, 0]}, {"axis": 2}),
    "layer_norm_backward": (F.layer_norm_backward, {"dy": Z, "x": X, "mean": TEN, "rstd": TEN, "gamma": ROW}, {}),
    "rms_norm_forward": (F.rms_norm_forward, {"x": X, "gamma": ROW}, {}),
    "group_norm_forward": (F.group_norm_forward, {"x": IMAGES, "gamma": TEN}, {"groups": 2}),
    "softmax_cross_entropy": (F.softmax_cross_entropy, {"logits": X, "labels": LABELS}, {}),
    "pointwise_loss": (F.pointwise_loss, {"predictions": X, "targets": Z, "weights": TEN}, {"loss": "huber"}),
    "matmul": (F.matmul, {"a": X, "b": Z}, {"transpose_b": True}),
    "dense_forward": (F.dense_forward, {"x": X, "w": Z[:5], "b": ROW}, {}),
}


class Subclass(np.ndarray):
    pass


def strided(array):
    result = np.zeros([2 * n for n in array.shape], array.dtype)[tuple(slice(None, None, 2) for _ in array.shape)]
    result[...] = array
    return result


def unaligned(array):
    result = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def read_only(array):
    result = array.copy()
    result.flags.writeable = False
    return result


def window(array):
    result = np.zeros((len(array) + 2, *array.shape[1:]), array.dtype)[1:-1]
    result[...] = array
    return result


WAYS = {
    "strided": strided,
    "by columns": np.asfortranarray,
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "unaligned": unaligned,
    "read-only": read_only,
    "subclass": lambda array: array.copy().view(Subclass),
    "window": window,
    "from bytes": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    "pickled": lambda array: pickle.loads(pickle.dumps(array)),
}


def prepared(name, dtype):
    function, arrays, others = CALLS[name]
    cast = {key: array.astype(dtype) if key in FLOATS else array.copy() for key, array in arrays.items()}
    return function, cast, others


def results(value):
    return value if isinstance(value, tuple) else (value,)


def out_of(name, value):
    """Return that one of the results that ``out`` receives."""
    return value[1] if name in ("softmax_cross_entropy", "pointwise_loss") else results(value)[0]


def assert_same(value, expected):
    for one, other in zip(results(value), results(expected), strict=True):
        assert np.array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_inputs_of_any_layout_give_the_same_bits(name, dtype):
    function, arrays, others = prepared(name, dtype)
    expected = function(**arrays, **others)
    for way, made in WAYS.items():
        if way in ("strided", "by columns") and name in ("matmul", "dense_forward"):
            continue  # they are read where they are, in another order
        for key, array in arrays.items():
            changed = made(array)
            assert np.array_equal(changed, array), way
            assert_same(function(**{**arrays, key: changed}, **others), expected)
            assert np.array_equal(changed, array), way


@pytest.mark.parametrize("name", CALLS)
def test_outputs_of_any_kind_that_fit_are_written(name):
    function, arrays, others = prepared(name, "float32")
    expected = function(**arrays, **others)
    like = out_of(name, expected)
    for way in ("subclass", "window", "pickled"):
        out = WAYS[way](np.full_like(like, 7.0))
        result = function(**arrays, **others, out=out)
        assert_same(result, expected)
        assert np.shares_memory(out_of(name, result), out)
        assert np.array_equal(out, like)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("matmul", "dense_forward")])
def test_the_output_may_be_the_first_input(name):
    function, arrays, others = prepared(name, "float32")
    expected = function(**arrays, **others)
    first = next(iter(arrays))
    for way in ("pickled", "window", "subclass"):
        changed = WAYS[way](arrays[first])
        for out in (changed, changed[...]):
            assert_same(function(**{**arrays, first: changed}, **others, out=out), expected)
            changed[...] = arrays[first]


@pytest.mark.parametrize("name", CALLS)
def test_outputs_that_do_not_fit_are_refused(name):
    function, arrays, others = prepared(name, "float32")
    like = out_of(name, function(**arrays, **others))
    for way in ("strided", "unaligned", "other byte order"):
        with pytest.raises(ValueError, match="out must be a C-contiguous float32 array of shape"):
            function(**arrays, **others, out=WAYS[way](like))
    for way in ("read-only", "from bytes"):
        with pytest.raises(ValueError, match="out must be writeable, got a read-only array"):
            function(**arrays, **others, out=WAYS[way](like))
    with pytest.raises(TypeError, match="out must be a NumPy array, got list"):
        function(**arrays, **others, out=like.tolist())
    with pytest.raises(TypeError, match="out must be a NumPy array, got MaskedArray"):
        function(**arrays, **others, out=np.ma.array(like))


@pytest.mark.parametrize("name", CALLS)
def test_outputs_that_share_memory_with_an_input_are_refused(name):
    function, arrays, others = prepared(name, "float32")
    like = out_of(name, function(**arrays, **others))
    for place, (key, array) in enumerate(arrays.items()):
        if array.dtype != np.float32:
            continue
        message = f"out must not overlap {key}$"
        memory = np.zeros(like.size + array.size, np.float32)
        foreign = bytearray(memory.nbytes)
        for whole, same in ((memory, memory), (np.frombuffer(foreign, "f4"), np.frombuffer(foreign, "f4"))):
            shared = whole[: array.size].reshape(array.shape)
            shared[...] = array
            given = {**arrays, key: shared}
            with pytest.raises(ValueError, match=message):
                function(**given, **others, out=same[1 : like.size + 1].reshape(like.shape))
            assert np.array_equal(shared, array)
            apart = same[array.size :].reshape(like.shape)
            function(**given, **others, out=apart)
        if place and array.shape == like.shape:
            with pytest.raises(ValueError, match=message):
                function(**arrays, **others, out=array)


@pytest.mark.parametrize("dtype", ["float16", "int32", "complex64", "bool", "O"])
@pytest.mark.parametrize("name", CALLS)
def test_other_dtypes_are_refused(name, dtype):
    function, arrays, others = prepared(name, "float32")
    for place, (key, array) in enumerate(arrays.items()):
        if array.dtype == np.float32 and key != "labels":
            like = "" if place == 0 and array.shape == next(iter(arrays.values())).shape else "float32"
            with pytest.raises(TypeError, match=rf"{key} must be {like}.*got {np.dtype(dtype)}$"):
                function(**{**arrays, key: np.ones(array.shape, dtype)}, **others)


def test_shapes_remembered_are_told_apart():
    rows = X.astype("f4")
    assert F.layer_norm_forward(rows, axis=-1).mean.shape == (6,)
    assert F.layer_norm_forward(rows, axis=np.int64(1)).mean.shape == (6,)
    for axis, kind in ((1.0, TypeError), ([1], TypeError), ("1", TypeError), (0, ValueError), (2, ValueError)):
        for function in (F.layer_norm_forward, F.batch_norm_forward, F.instance_norm_forward):
            with pytest.raises(kind, match=r"^axis must be"):
                function(rows, axis=axis)
    images = IMAGES.astype("f4")
    assert F.batch_norm_forward(images, axis=1).mean.shape == (3,)
    assert F.instance_norm_forward(images, axis=1).mean.shape == (2, 3)
    assert F.batch_norm_forward(images, axis=-1).mean.shape == (6,)
    assert F.batch_norm_forward(images, axis=True).mean.shape == (3,)


@pytest.mark.parametrize("rows", [1, 499, 500, 501, 1000])
def test_losses_of_many_rows_are_added_up(rows):
    predictions, targets = RNG.standard_normal((2, rows, 3)).astype("f4")
    each = F.pointwise_loss(predictions, targets, "huber", reduction="none").loss
    total = F.pointwise_loss(predictions, targets, "huber", reduction="sum").loss
    assert type(total) is float
    assert total == pytest.approx(float(each.sum()), rel=1e-13)


def test_updates_of_any_layout():
    w, g, m, v = (array.astype("f4") for array in (X, Z, X * 0.0, X * 0.0))
    expected = [array.copy() for array in (w, m, v)]
    F.adam_update(expected[0], g, *expected[1:], step=1)
    for way in ("strided", "by columns", "other byte order", "unaligned", "read-only", "subclass", "window", "pickled"):
        state = [array.copy() for array in (w, m, v)]
        F.adam_update(state[0], WAYS[way](g), *state[1:], step=1)
        assert_same(tuple(state), tuple(expected))
    for way in ("subclass", "window", "pickled"):
        for place in range(3):
            state = [array.copy() for array in (w, m, v)]
            state[place] = WAYS[way](state[place])
            F.adam_update(state[0], g, *state[1:], step=1)
            assert_same(tuple(state), tuple(expected))
    for place, name in enumerate(("w", "m", "v")):
        for way in ("strided", "unaligned", "other byte order", "read-only"):
            state = [array.copy() for array in (w, m, v)]
            state[place] = WAYS[way](state[place])
            with pytest.raises((ValueError, TypeError), match=f"^{name} must be"):
                F.adam_update(state[0], g, *state[1:], step=1)
    with pytest.raises(ValueError, match="w must not overlap g"):
        F.sgd_update(w, w)
    with pytest.raises(ValueError, match="w must not overlap m"):
        F.adam_update(w, g, w, v, step=1)
