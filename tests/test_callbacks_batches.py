"""Hooks of single batches: of training under both of their names, of evaluation and of prediction."""

import numpy as np
import pytest

from flyball import Sequential, callbacks, layers, metrics, utils

ROWS = 100


def data():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, 6)).astype(np.float32)
    return x, (x[:, 0] + 0.3 * rng.standard_normal(ROWS) > 0).astype(np.int64)


@pytest.fixture
def model():
    utils.set_random_seed(1)
    model = Sequential([layers.Input((6,)), layers.Dense(5, "tanh"), layers.Dropout(0.5), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", metrics.AUC(name="auc")])
    return model


class Listen(callbacks.Callback):
    """Writes down every hook of batches, in order."""

    def __init__(self):
        self.heard = []

    def on_test_batch_begin(self, batch, logs=None):
        self.heard.append(("begin", batch))

    def on_test_batch_end(self, batch, logs=None):
        self.heard.append(("end", batch, dict(logs)))

    def on_predict_batch_begin(self, batch, logs=None):
        self.on_test_batch_begin(batch)

    def on_predict_batch_end(self, batch, logs=None):
        self.heard.append(("end", batch, logs["outputs"]))

    def logs(self):
        return [entry[2] for entry in self.heard if entry[0] == "end"]


def edges(batches):
    return [(edge, i) for i in range(batches) for edge in ("begin", "end")]


@pytest.mark.parametrize(("batch_size", "rows"), [(None, 32), (7, 7), (1000, ROWS)])
def test_batches_of_an_evaluation(model, batch_size, rows, each_backend):
    x, y = data()
    weights = np.linspace(0.5, 2.0, ROWS)
    listen = Listen()
    found = model.evaluate(x, y, batch_size, 0, weights, callbacks=[listen], return_dict=True)
    count = -(-ROWS // rows)
    assert [entry[:2] for entry in listen.heard] == edges(count)
    assert listen.params == {"epochs": 1, "steps": count, "verbose": 0}
    assert found == pytest.approx(model.evaluate(x, y, verbose=0, sample_weight=weights, return_dict=True), rel=1e-6)
    for i, logs in enumerate(listen.logs()):  # of all batches so far
        end = (i + 1) * rows
        so_far = model.evaluate(x[:end], y[:end], verbose=0, sample_weight=weights[:end], return_dict=True)
        assert logs == pytest.approx(so_far, rel=1e-6)


def test_batches_of_an_evaluation_of_batches(model):
    x, y = data()
    parts = [(x[i : i + 40], y[i : i + 40]) for i in range(0, ROWS, 40)]
    listen, arrays = Listen(), Listen()
    assert model.evaluate(parts, callbacks=[listen], verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    model.evaluate(x, y, 40, callbacks=[arrays], verbose=0)
    assert [entry[:2] for entry in listen.heard] == edges(3)
    for of_batches, of_arrays in zip(listen.logs(), arrays.logs(), strict=True):
        assert of_batches == pytest.approx(of_arrays)


def test_batches_of_validations(model):
    x, y = data()
    listen = Listen()
    history = model.fit(x, y, 25, epochs=2, verbose=0, validation_data=(x, y), callbacks=[listen]).history
    assert [entry[:2] for entry in listen.heard] == edges(4) * 2  # of fit's batch_size, as in Keras
    assert [logs["loss"] for logs in listen.logs()[3::4]] == history["val_loss"]
    listen.heard.clear()
    model.fit(x, y, 25, verbose=0, validation_data=(x, y), validation_batch_size=60, callbacks=[listen])
    assert [entry[:2] for entry in listen.heard] == edges(2)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_batches_of_a_prediction(model, batch_size, each_backend):
    x, _ = data()
    listen = Listen()
    found = model.predict(x, batch_size, callbacks=[listen])
    rows = batch_size or 32
    assert [entry[:2] for entry in listen.heard] == edges(-(-ROWS // rows))
    assert listen.params["steps"] == -(-ROWS // rows)
    assert [len(part) for part in listen.logs()][:2] == [rows, rows]
    np.testing.assert_array_equal(np.concatenate(listen.logs()), found)
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-6)  # NumPy's products round by the number of rows


def test_batches_of_a_prediction_with_dropout(model):
    x, _ = data()
    listen = Listen()
    found = model.predict(x, callbacks=[listen], mc_dropout=5)
    np.testing.assert_array_equal(np.concatenate([part.std for part in listen.logs()]), found.std)
    assert found.std.min() > 0.0


def test_evaluations_and_predictions_can_be_ended(model):
    x, y = data()

    class End(callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = batch == 1

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    assert model.evaluate(x, y, 30, 0, callbacks=[End()]) == pytest.approx(model.evaluate(x[:60], y[:60], verbose=0))
    np.testing.assert_array_equal(model.predict(x, 30, callbacks=[End()]), model.predict(x[:60]))
    assert len(model.predict(x, 30)) == ROWS  # the next one goes through all


def test_steps_of_training_have_two_names(model):
    x, y = data()
    heard = []

    class Old(callbacks.Callback):
        def on_batch_begin(self, batch, logs=None):
            heard.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            heard.append(("end", batch))
            assert set(logs) == {"loss", "accuracy", "auc"}

    model.fit(x, y, 50, verbose=0, callbacks=[Old()])
    assert heard == edges(2)


def test_functions_as_hooks_of_batches(model):
    x, y = data()
    heard = []
    hooks = ("on_test_batch_begin", "on_predict_batch_end")
    listen = callbacks.LambdaCallback(**{name: lambda batch, logs, name=name: heard.append(name) for name in hooks})
    model.evaluate(x, y, 50, 0, callbacks=[listen])
    model.predict(x, 50, callbacks=[listen])
    assert heard == ["on_test_batch_begin"] * 2 + ["on_predict_batch_end"] * 2


def test_who_has_no_hooks_of_batches_pays_for_none(model):
    watchers = callbacks.CallbackList([callbacks.EarlyStopping(), callbacks.LambdaCallback(on_test_end=print)], model)
    assert [watchers.watcher(phase) for phase in ("train", "test", "predict")] == [None] * 3
    listening = callbacks.CallbackList([Listen()], model)
    assert [listening.watcher(phase) is None for phase in ("train", "test", "predict")] == [True, False, False]
