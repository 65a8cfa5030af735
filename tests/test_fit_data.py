"""What fit, evaluate and predict take for data: shapes, frames, lists, memory maps; and what they refuse."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.data import as_array, as_samples, first_steps


def classifier(*, features=3, dtype="float32", norm=False, seed=0, metrics=("accuracy",)):
    fb.utils.set_random_seed(seed)
    fb.utils.clear_session()
    middle = [layers.BatchNormalization()] if norm else []
    model = fb.Sequential(
        [layers.Input((features,)), layers.Dense(5, activation="tanh"), *middle, layers.Dense(2, activation="softmax")],
        dtype=dtype,
    )
    model.compile(fb.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=list(metrics))
    return model


def table(rows=50, features=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    return x, (x.sum(axis=1) > 0).astype(np.int64)


def trained(x, y, **options):
    model = classifier()
    history = model.fit(x, y, epochs=2, verbose=0, **options)
    return model.fingerprint(), history.history


# --- shapes ----------------------------------------------------------------------------------------------------------


def flat_and_shaped():
    """A network on rows, and the same one behind a Flatten on (4, 3, 2) images."""
    models = []
    for image in (False, True):
        fb.utils.set_random_seed(3)
        first = [layers.Input((4, 3, 2)), layers.Flatten()] if image else [layers.Input((24,))]
        model = fb.Sequential([*first, layers.Dense(6, activation="relu"), layers.Dense(2)])
        model.compile("sgd", "mse")
        models.append(model)
    return models


needs_flatten = pytest.mark.skipif(not hasattr(layers, "Flatten"), reason="layers.Flatten is not there")


@needs_flatten
def test_samples_may_have_any_shape(each_backend):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4, 3, 2)).astype(np.float32), rng.normal(size=(20, 2))
    flat, shaped = flat_and_shaped()
    flat.fit(x.reshape(20, 24), y, epochs=2, batch_size=8, verbose=0)
    for given in (x, x.astype(np.float64), np.repeat(x, 2, axis=0)[::2], np.asfortranarray(x)):
        _, shaped = flat_and_shaped()
        shaped.fit(given, y, epochs=2, batch_size=8, verbose=0)
        for one, other in zip(flat.get_weights(), shaped.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        assert shaped.predict(given).tobytes() == flat.predict(x.reshape(20, 24)).tobytes()
        assert shaped.evaluate(given, y, verbose=0) == flat.evaluate(x.reshape(20, 24), y, verbose=0)


@pytest.mark.parametrize(
    ("given", "shape", "expected"),
    [((5,), (1,), (5, 1)), ((5, 4, 3), (4, 3, 1), (5, 4, 3, 1)), ((5, 4, 1), (4,), (5, 4)), ((5, 2), None, (5, 2))],
)
def test_a_last_axis_of_one_may_be_missing_or_too_many(given, shape, expected):
    array = np.arange(np.prod(given), dtype=np.float32).reshape(given)
    samples = as_samples("x", array, shape)
    assert samples.shape == expected
    assert np.shares_memory(samples, array)


@pytest.mark.parametrize(
    ("given", "shape", "message"),
    [
        ((5, 4, 3), (3, 4), r"x must have shape \(samples, 3, 4\), got shape \(5, 4, 3\)"),
        ((5, 12), (3, 4), r"x must have shape \(samples, 3, 4\), got shape \(5, 12\)"),
        ((5,), (3,), r"x must have shape \(samples, features\), got shape \(5,\)"),
        ((), (1,), r"x must have shape \(samples, features\), got shape \(\)"),
        ((0, 3), (3,), r"x must not be empty, got shape \(0, 3\)"),
    ],
)
def test_other_shapes_are_refused(given, shape, message):
    with pytest.raises(ValueError, match=message):
        as_samples("x", np.zeros(given), shape)


def test_what_is_not_finite_is_found_in_images():
    x = np.zeros((6, 2, 3), np.float32)
    x[4, 1, 2] = np.nan
    with pytest.raises(ValueError, match=r"x must be finite, got nan at index \(4, 1, 2\)"):
        fb.data.require_finite("x", x)


def test_arrays_are_used_where_they_lie(tmp_path):
    x, y = table(4000, 64)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for given in (x, mapped, x.astype(np.uint8), x[::2], x.reshape(4000, 8, 8)):
        assert np.shares_memory(as_samples("x", given), given)
    fb.utils.set_random_seed(0)
    model = classifier(features=64)
    model.fit(mapped, y, verbose=0)
    tracemalloc.start()
    model.fit(mapped, y, verbose=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.6 * x.nbytes  # a copy of the data would be 1 megabyte; checking it for nan takes a quarter of that


# --- frames, tables, lists, tensors ----------------------------------------------------------------------------------


def test_lists_are_arrays():
    x, y = table()
    assert trained(x.tolist(), y.tolist()) == trained(x, y)
    with pytest.raises(ValueError, match="x must be an array of numbers, got list"):
        classifier().fit([[1.0, 2.0, 3.0], [1.0]], [0, 1], verbose=0)


@pytest.mark.parametrize("kind", ["float64", "float32", "mixed", "Int64"])
def test_data_frames_of_pandas(kind):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    x, y = rng.integers(-5, 5, (50, 3)).astype(np.float32), rng.integers(0, 2, 50)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    if kind == "mixed":
        x = np.column_stack([x[:, 0], x[:, 1] > 0, x[:, 2]]).astype(np.float32)
        frame = frame.astype({"a": "int8", "b": "float32", "c": "int64"}).assign(b=x[:, 1] > 0)
    else:
        frame = frame.astype(kind)
    expected = trained(x, y)
    assert trained(frame, pd.Series(y)) == expected
    assert trained(frame, pd.DataFrame({"target": y})) == expected
    held = classifier()
    held.fit(x, y, verbose=0)
    assert held.predict(frame).tobytes() == held.predict(x).tobytes()


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        (["red", "green"], TypeError, "x must be numbers, got dtype .* in column 'colour'"),
        ([1.0, None], ValueError, "x must be finite, got nan at row 1, column 1"),
    ],
)
def test_a_column_that_is_no_number_is_named(column, error, message):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "colour": column, "c": [1, 2]})
    with pytest.raises(error, match=message):
        classifier().fit(frame, [0, 1], verbose=0)


def test_missing_integers_of_pandas_are_named():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": pd.array([1, None], dtype="Int64"), "c": [1, 2]})
    with pytest.raises(ValueError, match="x must be finite, got nan at row 1, column 1"):
        classifier().fit(frame, [0, 1], verbose=0)


def test_dates_are_no_numbers():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "day": pd.to_datetime(["2020-01-01", "2020-01-02"]), "c": [1, 2]})
    with pytest.raises(TypeError, match=r"x must be numbers, got dtype datetime64.* in column 'day'"):
        classifier().fit(frame, [0, 1], verbose=0)


def test_columns_of_one_name_are_all_taken():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([[1.0, True, 3], [4.0, False, 6]], columns=["a", "a", "b"])
    np.testing.assert_array_equal(as_array("x", frame), [[1, 1, 3], [4, 0, 6]])


def test_tables_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    x, y = table()
    columns = {name: x[:, i] for i, name in enumerate("abc")}
    assert trained(pa.table(columns), pa.array(y)) == trained(x, y)
    assert trained(pa.table(columns), pa.chunked_array([y[:20], y[20:]])) == trained(x, y)
    with pytest.raises(TypeError, match="x must be numbers, got dtype object in column 'b'"):
        classifier().fit(pa.table({**columns, "b": ["?"] * 50}), y, verbose=0)


class PolarsFrame:
    """What polars shows of a frame: columns, dtypes, columns by name, and an array only of numbers."""

    def __init__(self, data):
        self._data = data

    @property
    def columns(self):
        return list(self._data)

    @property
    def dtypes(self):
        return [column.dtype for column in self._data.values()]

    def __getitem__(self, name):
        return self._data[name]

    def __array__(self, dtype=None, copy=None):
        return np.column_stack(list(self._data.values()))


def test_frames_in_polars_fashion():
    x, y = table()
    assert trained(PolarsFrame({name: x[:, i] for i, name in enumerate("abc")}), y) == trained(x, y)
    strings = PolarsFrame({"a": x[:, 0], "b": np.array(["?"] * 50), "c": x[:, 2]})
    with pytest.raises(TypeError, match="x must be numbers, got dtype <U1 in column 'b'"):
        classifier().fit(strings, y, verbose=0)


def test_frames_of_polars():
    pl = pytest.importorskip("polars")
    x, y = table()
    frame = pl.DataFrame({name: x[:, i] for i, name in enumerate("abc")})
    assert trained(frame, pl.Series("y", y)) == trained(x, y)
    with pytest.raises(TypeError, match="in column 'b'"):
        classifier().fit(frame.with_columns(b=pl.lit("?")), y, verbose=0)


class Tensor:
    """What NumPy sees of a tensor of torch."""

    def __init__(self, array, error=None):
        self.array, self.error = array, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return self.array


def test_tensors():
    x, y = table()
    assert trained(Tensor(x), Tensor(y)) == trained(x, y)
    away = Tensor(x, RuntimeError("Can't call numpy() on Tensor that requires grad."))
    with pytest.raises(TypeError, match=r"x must be an array of numbers, got Tensor \(Can't call numpy"):
        classifier().fit(away, y, verbose=0)


def test_sparse_and_masked_arrays_say_how_to_become_dense():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = table()
    with pytest.raises(TypeError, match=r"x must be a dense array, got csr_array; its toarray\(\) is one"):
        classifier().fit(sparse.csr_array(x), y, verbose=0)
    masked = np.ma.masked_greater(x, 1.0)
    with pytest.raises(TypeError, match="x must not have masked elements, got MaskedArray"):
        classifier().fit(masked, y, verbose=0)
    assert trained(np.ma.masked_greater(x, 1e9), y) == trained(x, y)


def test_targets_are_converted_alike():
    x, y = table()
    with pytest.raises(ValueError, match="y must be numbers, got 'yes'"):
        classifier().fit(x, np.where(y, "yes", "no"), verbose=0)
    with pytest.raises(ValueError, match="y must be targets for the loss sparse_categorical_crossentropy, got None"):
        classifier().fit(x, verbose=0)


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("fit", {"epoch": 3}, "fit got an unexpected keyword argument 'epoch'; did you mean 'epochs'?"),
        ("fit", {"batchsize": 3}, "fit got an unexpected keyword argument 'batchsize'; did you mean 'batch_size'?"),
        ("evaluate", {"batchsize": 3}, "evaluate got an unexpected keyword argument 'batchsize'"),
        ("evaluate", {"sample_weights": 3}, "did you mean 'sample_weight'"),
        ("predict", {"bach_size": 3}, "predict got an unexpected keyword argument 'bach_size'"),
        ("compile", {"metric": ["accuracy"]}, "compile got an unexpected keyword argument 'metric'; .* 'metrics'"),
    ],
)
def test_unknown_arguments_are_refused_with_the_nearest(method, options, message):
    x, y = table()
    data = {"fit": (x, y), "evaluate": (x, y), "predict": (x,), "compile": ()}[method]
    with pytest.raises(TypeError, match=message):
        getattr(classifier(), method)(*data, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shuffle": "batch"}, "shuffle must be True or False, got 'batch'"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be a positive integer, got 0"),
        ({"validation_steps": 1.5}, "validation_steps must be a positive integer, got 1.5"),
        ({"validation_batch_size": -2}, "validation_batch_size must be a positive integer, got -2"),
        ({"validation_freq": 0}, "validation_freq must be a positive integer, got 0"),
        ({"validation_data": ()}, "validation_data must be a tuple"),
        ({"validation_data": "held"}, "validation_data must be a tuple"),
    ],
)
def test_bad_arguments_are_named(options, message):
    x, y = table()
    model = classifier()
    before = model.fingerprint()
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0, **options)
    assert model.fingerprint() == before


def test_validation_split_takes_the_last_samples_before_shuffling():
    x, y = table()
    split, given = classifier(), classifier()
    one = split.fit(x, y, epochs=3, validation_split=0.3, verbose=0).history
    other = given.fit(x[:35], y[:35], epochs=3, validation_data=(x[35:], y[35:]), verbose=0).history
    assert one == other
    assert split.fingerprint() == given.fingerprint()


# --- steps -----------------------------------------------------------------------------------------------------------


def test_steps_per_epoch_cut_a_pass_into_epochs(each_backend):
    x, y = table(60)
    whole, parts = classifier(), classifier()
    whole.fit(x, y, batch_size=10, epochs=2, verbose=0)
    parts.fit(x, y, batch_size=10, epochs=4, steps_per_epoch=3, verbose=0)
    assert parts.optimizer.iterations == whole.optimizer.iterations == 12
    assert parts.history.epoch == [0, 1, 2, 3]
    plain, cut = classifier(), classifier()
    plain.fit(x, y, batch_size=10, epochs=1, shuffle=True, verbose=0)
    cut.fit(x, y, batch_size=10, epochs=2, steps_per_epoch=3, verbose=0)
    for one, other in zip(plain.get_weights(), cut.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_means_of_a_partial_epoch_are_over_its_own_samples():
    x, y = table(60)
    model = classifier()
    model.compile(fb.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = model.fit(x, y, batch_size=10, epochs=2, steps_per_epoch=3, shuffle=False, verbose=0).history
    halves = [model.evaluate(x[rows], y[rows], verbose=0) for rows in (slice(30), slice(30, 60))]
    np.testing.assert_allclose(np.transpose([found["loss"], found["accuracy"]]), halves, rtol=1e-6)


def test_an_epoch_ends_where_the_data_do_with_a_warning():
    x, y = table(50)
    model = classifier()
    with pytest.warns(UserWarning, match="steps_per_epoch must be at most the 1 steps there is data for") as caught:
        model.fit(x, y, batch_size=10, epochs=4, steps_per_epoch=4, verbose=0)
    assert len(caught) == 2  # steps 4, 1, 4, 1
    assert model.optimizer.iterations == 10
    with pytest.warns(UserWarning, match="at most the 5 steps there is data for in this epoch, got 9"):
        model.fit(x, y, batch_size=10, steps_per_epoch=9, verbose=0)
    assert model.optimizer.iterations == 15


def test_steps_without_a_batch_size_cut_the_data_into_that_many():
    x, y = table(50)
    model = classifier()
    model.fit(x, y, steps_per_epoch=4, verbose=0)
    assert model.optimizer.iterations == 4
    other = classifier()
    other.fit(x, y, batch_size=13, verbose=0)
    assert model.fingerprint() == other.fingerprint()


def test_a_run_in_parts_with_steps_per_epoch_is_the_run_as_a_whole():
    x, y = table(60)
    whole, parts = classifier(), classifier()
    whole.fit(x, y, batch_size=10, epochs=5, steps_per_epoch=2, verbose=0)
    for begin, end in ((0, 1), (1, 3), (3, 5)):
        parts.fit(x, y, batch_size=10, initial_epoch=begin, epochs=end, steps_per_epoch=2, verbose=0)
    assert whole.fingerprint() == parts.fingerprint()


def test_validation_and_evaluation_on_some_steps():
    x, y = table(60)
    model = classifier()
    history = model.fit(
        x, y, validation_data=(x, y), validation_steps=2, validation_batch_size=11, epochs=1, verbose=0
    ).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x[:22], y[:22], verbose=0)[0], rel=1e-6)
    assert model.evaluate(x, y, batch_size=7, steps=3, verbose=0) == pytest.approx(
        model.evaluate(x[:21], y[:21], verbose=0), rel=1e-6
    )
    assert model.predict(x, batch_size=7, steps=3).tobytes() == model.predict(x[:21]).tobytes()
    assert model.evaluate(x, y, steps=3, verbose=0) == model.evaluate(x, y, verbose=0)
    with pytest.warns(UserWarning, match="steps must be at most the 9 batches of 7 there are data for, got 10"):
        model.evaluate(x, y, batch_size=7, steps=10, verbose=0)
    assert first_steps(fb.data.DataSet(x, y), None, 3, "steps").x is x


def test_an_epoch_of_a_callbacks_own_compile_goes_on_with_the_new_memory():
    class Recompile(fb.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.compile(fb.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])

    x, y = table()
    model, expected = classifier(), classifier()
    model.fit(x, y, epochs=2, verbose=0, callbacks=[Recompile()], validation_data=(x, y))
    expected.fit(x, y, epochs=1, verbose=0)
    expected.compile(fb.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    expected.fit(x, y, initial_epoch=1, epochs=2, verbose=0)
    assert model.fingerprint() == expected.fingerprint()
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] == pytest.approx(
        model.history.history["val_loss"][-1], rel=1e-6
    )


def test_what_is_no_array_is_refused_by_its_kind():
    model = classifier()
    x, y = table()
    for wrong, kind in (({"a": x}, "dict"), (lambda: x, "function"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"x must be an array of numbers, got {kind}"):
            model.fit(wrong, y, verbose=0)
