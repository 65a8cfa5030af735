"""Averages of weights, ensembles of snapshots, Lookahead, and the hooks of evaluation and prediction."""

from __future__ import annotations

import re

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers, optimizers


def data(n=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    return x, (x.sum(axis=1) > 0).astype(int)


def new_model(optimizer=None, *, normalised=False, dtype="float64"):
    flyball.utils.clear_session()
    flyball.utils.set_random_seed(2)
    middle = [layers.BatchNormalization(momentum=0.9)] if normalised else []
    stack = [layers.Dense(5, "tanh"), *middle, layers.Dropout(0.2), layers.Dense(2, "softmax")]
    model = flyball.Sequential([flyball.Input((4,)), *stack], dtype=dtype)
    model.compile(optimizer or optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, epochs, watchers=(), **options):
    return model.fit(*data(), 16, epochs, 0, list(watchers), **options)


def same(one, other):
    return all(map(np.array_equal, one, other))


# --- the moving average ------------------------------------------------------------------------------------------


def ema(momentum=0.8):
    return optimizers.SGD(0.1, use_ema=True, ema_momentum=momentum)


def averages(epochs, momentum=0.8):
    """The weights and their average at the end of each epoch, by the formula; biased towards nothing at first."""
    model, seen, average = new_model(ema(momentum)), [], []

    def step(batch, logs):
        if not average:
            average.extend(model.get_weights())
        else:
            average[:] = [momentum * a + (1 - momentum) * w for a, w in zip(average, model.get_weights(), strict=True)]

    look = callbacks.LambdaCallback(
        on_train_batch_end=step, on_epoch_end=lambda epoch, logs: seen.append((model.get_weights(), list(average)))
    )
    fit(model, epochs, [look])
    return seen


def test_validations_see_the_average(each_backend):
    x, y = data()
    weights, average = averages(2)[-1]
    model, other = new_model(ema()), new_model()
    seen = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((dict(logs), model.get_weights())))
    fit(model, 2, [callbacks.SwapEMAWeights(), look], validation_data=(x, y))
    other.set_weights(average)
    assert seen[-1][0]["val_loss"] == pytest.approx(other.evaluate(x, y, verbose=0)[0], rel=1e-9)
    assert same(seen[-1][1], weights)  # trained on, and seen by others, are the weights
    for now, then in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-9, atol=1e-12)  # in the end the model has the average


def test_swapping_changes_no_training():
    plain, swapped, kept = new_model(ema()), new_model(ema()), new_model(ema())
    fit(plain, 3)
    fit(swapped, 3, [callbacks.SwapEMAWeights()], validation_split=0.0, validation_data=data())
    fit(kept, 3, [callbacks.SwapEMAWeights(swap_on_epoch=True)])
    assert plain.fingerprint() == swapped.fingerprint() == kept.fingerprint()


def test_callbacks_after_it_see_the_average(tmp_path):
    expected = averages(3)
    model, seen = new_model(ema()), []
    swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
    before = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    fit(model, 3, [before, swap, callbacks.ModelCheckpoint(tmp_path / "{epoch}")])
    for epoch, (weights, average) in enumerate(expected):
        assert same(seen[epoch], weights)
        loaded = flyball.load_model(tmp_path / str(epoch + 1))
        for now, then in zip(loaded.get_weights(), average, strict=True):
            np.testing.assert_allclose(now, then, rtol=1e-9, atol=1e-12)
    whole = new_model(ema())
    fit(whole, 5)
    resumed = flyball.load_model(tmp_path / "2")  # has the average, and knows the weights to go on from
    fit(resumed, 5, initial_epoch=2)
    assert resumed.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("swap_on_epoch", [True, False])
def test_a_backup_of_swapped_weights(tmp_path, swap_on_epoch):
    def watchers():
        return [callbacks.SwapEMAWeights(swap_on_epoch), callbacks.BackupAndRestore(tmp_path)]

    def interrupt(batch, logs):
        seen.append(batch)
        if len(seen) == 7:
            raise KeyboardInterrupt

    whole, seen = new_model(ema()), []
    fit(whole, 4)
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(ema()), 4, [*watchers(), callbacks.LambdaCallback(on_train_batch_end=interrupt)])
    resumed = new_model(ema())
    fit(resumed, 4, watchers())
    assert resumed.fingerprint() == whole.fingerprint()


def test_evaluate_and_predict_with_the_average():
    """Between two fits the model has the average already; in the middle of one, the callback brings it."""
    x, y = data()
    model, found = new_model(ema()), []
    swap = callbacks.SwapEMAWeights()

    def look(epoch, logs):
        with_average = model.evaluate(x, y, verbose=0, callbacks=[swap]), model.predict(x, callbacks=[swap])
        found.append((*with_average, model.evaluate(x, y, verbose=0), model.predict(x)))

    fit(model, 2, [callbacks.LambdaCallback(on_epoch_end=look)])
    assert found[-1][0] == model.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0, callbacks=[swap])
    np.testing.assert_array_equal(found[-1][1], model.predict(x))
    assert found[-1][2] != found[-1][0]
    assert not np.array_equal(found[-1][3], found[-1][1])


def test_an_optimizer_without_an_average():
    message = "SwapEMAWeights must be used with an optimizer with use_ema=True"
    with pytest.raises(ValueError, match=message):
        fit(new_model(), 1, [callbacks.SwapEMAWeights()])
    with pytest.raises(ValueError, match=message):
        new_model().predict(data()[0], callbacks=[callbacks.SwapEMAWeights()])
    with pytest.raises(ValueError, match="swap_on_epoch must be True or False, got 1"):
        callbacks.SwapEMAWeights(1)


# --- the mean of epochs ------------------------------------------------------------------------------------------


def ends(epochs, **options):
    """The weights at the end of each epoch."""
    model, seen = new_model(**options), []
    fit(model, epochs, [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))])
    return seen


@pytest.mark.parametrize(("start", "period", "counted"), [(0, 1, [0, 1, 2, 3, 4]), (2, 1, [2, 3, 4]), (1, 2, [1, 3])])
def test_stochastic_weight_averaging(start, period, counted, each_backend):
    seen = ends(5)
    model = new_model()
    averaging = callbacks.StochasticWeightAveraging(start, period)
    fit(model, 5, [averaging])
    assert averaging.count == len(counted)
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, np.mean([seen[epoch][i] for epoch in counted], axis=0), rtol=1e-12)


def test_batch_statistics_are_those_of_the_mean():
    x, _ = data()
    model, other = new_model(normalised=True), new_model(normalised=True)
    fit(model, 4, [callbacks.StochasticWeightAveraging(1)])
    seen = ends(4, normalised=True)
    other.set_weights([np.mean([weights[i] for weights in seen[1:]], axis=0) for i in range(len(seen[0]))])
    hidden = np.tanh(x @ other.get_weights()[0] + other.get_weights()[1])
    mean, variance = model.get_weights()[4:6]
    np.testing.assert_allclose(mean, hidden.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(variance, hidden.var(axis=0), rtol=1e-9)


def test_averaging_of_batches_needs_samples():
    x, y = data()
    batches = [(x[:30], y[:30]), (x[30:], y[30:])]
    with pytest.raises(ValueError, match="x must be given, samples to recompute statistics on"):
        new_model(normalised=True).fit(batches, epochs=2, verbose=0, callbacks=[callbacks.StochasticWeightAveraging(0)])
    model = new_model(normalised=True)
    model.fit(batches, epochs=2, verbose=0, callbacks=[callbacks.StochasticWeightAveraging(0, x=x)])
    new_model().fit(batches, epochs=2, verbose=0, callbacks=[callbacks.StochasticWeightAveraging(0)])


def test_a_resumed_run_has_the_same_mean(tmp_path):
    def watchers():
        return [callbacks.StochasticWeightAveraging(1), callbacks.BackupAndRestore(tmp_path)]

    def interrupt(epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    whole, broken, resumed = (new_model(normalised=True) for _ in range(3))
    fit(whole, 6, [callbacks.StochasticWeightAveraging(1)])
    with pytest.raises(KeyboardInterrupt):
        fit(broken, 6, [*watchers(), callbacks.LambdaCallback(on_epoch_begin=interrupt)])
    assert same(broken.get_weights()[:2], ends(3, normalised=True)[-1][:2])  # a broken run keeps what it has
    fit(resumed, 6, watchers())
    assert resumed.fingerprint() == whole.fingerprint()


# --- snapshots ---------------------------------------------------------------------------------------------------


def test_snapshot_ensemble():
    x, _ = data()
    model, ensemble = new_model(optimizers.SGD(0.3)), callbacks.SnapshotEnsemble(3)
    rates, kept = [], []
    look = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(model.optimizer.learning_rates(1)[0]),
        on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()),
    )
    fit(model, 6, [ensemble, look])
    assert len(ensemble.members) == 3
    for member, epoch in zip(ensemble.members, (1, 3, 5), strict=True):
        assert same(member, kept[epoch])
    steps = np.arange(24)
    expected = 0.3 * 0.5 * (1 + np.cos(np.pi * (steps % 8) / 8))
    np.testing.assert_allclose([0.3, *rates[:-1]], expected, rtol=1e-12)
    last = model.get_weights()
    mean = ensemble.predict(x)
    single = []
    for member in ensemble.members:
        model.set_weights(member)
        single.append(model.predict(x))
    np.testing.assert_allclose(mean, np.mean(single, axis=0), rtol=1e-12)
    assert same(last, kept[-1])
    assert mean.dtype == model.dtype


def test_an_ensemble_predicts_of_batches():
    x, y = data()
    ensemble = callbacks.SnapshotEnsemble(2)
    fit(new_model(), 4, [ensemble])
    expected = ensemble.predict(x)
    assert len(expected) == len(x)

    def batches():
        return ((x[i : i + 25], y[i : i + 25]) for i in range(0, len(x), 25))

    class Again:
        def __iter__(self):
            return batches()

    np.testing.assert_allclose(ensemble.predict(batches()), expected, rtol=1e-12)
    np.testing.assert_allclose(ensemble.predict(batches(), steps=1), expected[:25], rtol=1e-12)
    np.testing.assert_allclose(ensemble.predict(Again()), expected, rtol=1e-12)
    own = ensemble.model.get_weights()
    with pytest.raises(ValueError, match="x must give at least one batch, got none"):
        ensemble.predict(iter([]))
    with pytest.raises(ValueError, match="batch_size must be None where x gives batches, got 3"):
        ensemble.predict(batches(), 3)
    assert same(ensemble.model.get_weights(), own)


def test_snapshots_of_a_resumed_run(tmp_path):
    def watchers():
        return [callbacks.SnapshotEnsemble(2, 0.2), callbacks.BackupAndRestore(tmp_path)]

    def interrupt(epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    whole, resumed = new_model(), new_model()
    first, second = callbacks.SnapshotEnsemble(2, 0.2), watchers()
    fit(whole, 4, [first])
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), 4, [*watchers(), callbacks.LambdaCallback(on_epoch_begin=interrupt)])
    fit(resumed, 4, second)
    assert resumed.fingerprint() == whole.fingerprint()
    assert all(map(same, second[0].members, first.members))


def test_what_an_ensemble_refuses():
    with pytest.raises(ValueError, match="epochs must be a multiple of the 3 cycles of SnapshotEnsemble, got 4"):
        fit(new_model(), 4, [callbacks.SnapshotEnsemble(3)])
    model = new_model()
    fit(model, 1)
    with pytest.raises(ValueError, match="the optimizer must be new for SnapshotEnsemble"):
        fit(model, 3, [callbacks.SnapshotEnsemble(3)])
    with pytest.raises(ValueError, match="members must be there to predict with"):
        callbacks.SnapshotEnsemble(3).predict(data()[0])
    with pytest.raises(ValueError, match="cycles must be a positive integer, got 0"):
        callbacks.SnapshotEnsemble(0)


# --- Lookahead ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [1, 3, 5])
@pytest.mark.parametrize("inner", [lambda: optimizers.SGD(0.1, momentum=0.9), lambda: optimizers.Adam(0.02)])
def test_lookahead_is_the_papers_formula(period, inner, each_backend):
    """Beside a run without it whose weights are set by the formula after each step that is a multiple of the period."""
    model, plain = new_model(optimizers.Lookahead(inner(), period, 0.3)), new_model(inner())
    slow, steps = plain.get_weights(), []

    def step(batch, logs):
        steps.append(batch)
        if len(steps) % period == 0:
            slow[:] = [s + 0.3 * (w - s) for s, w in zip(slow, plain.get_weights(), strict=True)]
            plain.set_weights(slow)

    fit(plain, 3, [callbacks.LambdaCallback(on_train_batch_end=step)])
    fit(model, 3)
    for now, then in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-12, atol=1e-15)


def test_lookahead_with_hooks_of_steps_batches_and_a_resumed_run(tmp_path):
    def make():
        return new_model(optimizers.Lookahead("adam", 3))

    x, y = data()
    whole, watched, part, again = make(), make(), make(), make()
    fit(whole, 4)
    fit(watched, 4, [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)])
    assert watched.fingerprint() == whole.fingerprint()
    fit(part, 2)
    part.save(tmp_path / "m")
    loaded = flyball.load_model(tmp_path / "m")
    assert loaded.optimizer.get_config() == part.optimizer.get_config()
    fit(loaded, 4, initial_epoch=2)
    assert loaded.fingerprint() == whole.fingerprint()
    seen = []

    def interrupt(batch, logs):
        seen.append(batch)
        if len(seen) == 6:  # right after the slow weights went on
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            again,
            4,
            [callbacks.BackupAndRestore(tmp_path / "b"), callbacks.LambdaCallback(on_train_batch_end=interrupt)],
        )
    resumed = make()
    fit(resumed, 4, [callbacks.BackupAndRestore(tmp_path / "b")])
    assert resumed.fingerprint() == whole.fingerprint()
    arrays, batches = make(), make()
    arrays.fit(x, y, 30, 3, 0, shuffle=False)
    batches.fit([(x[:30], y[:30]), (x[30:], y[30:])], epochs=3, verbose=0, shuffle=False)
    for now, then in zip(arrays.get_weights(), batches.get_weights(), strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-12)


def test_lookahead_is_an_optimizer():
    optimizer = optimizers.Lookahead(optimizers.Adagrad(0.1, initial_accumulator_value=0.3), 4)
    optimizer.learning_rate = 0.05
    assert (optimizer.learning_rate, optimizer.optimizer.learning_rate, optimizer.has_schedule) == (0.05, 0.05, False)
    assert optimizers.get(optimizers.serialize(optimizer)).get_config() == optimizer.get_config()
    model = new_model(optimizer)
    history = fit(model, 3, [callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9)])
    assert history.history["learning_rate"] == [0.05, 0.05, 0.025]
    assert model.optimizer.iterations == 12
    for arguments, message in [
        (("sgd", 0), "sync_period must be a positive integer, got 0"),
        (("sgd", 5, 1.5), "slow_step_size must be in [0, 1], got 1.5"),
        ((3,), "optimizer must be an optimizer or one of"),
        ((optimizer,), "optimizer must be another than Lookahead"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            optimizers.Lookahead(*arguments)
    with pytest.raises(ValueError, match="got 'lookahead'"):
        optimizers.get("lookahead")


# --- hooks -------------------------------------------------------------------------------------------------------


def test_hooks_of_evaluation_and_prediction():
    x, y = data()
    heard = []

    class Listen(callbacks.Callback):
        def on_test_begin(self, logs=None):
            heard.append("test begins")

        def on_test_end(self, logs=None):
            heard.append(("test ends", dict(logs)))

        def on_predict_begin(self, logs=None):
            heard.append("predict begins")

        def on_predict_end(self, logs=None):
            heard.append("predict ends")

    model = new_model()
    history = fit(model, 2, [Listen()], validation_data=(x, y), validation_freq=2).history
    assert heard == ["test begins", ("test ends", {name: history[f"val_{name}"][0] for name in ("loss", "accuracy")})]
    heard.clear()
    found = model.evaluate(x, y, verbose=0, return_dict=True, callbacks=[Listen()])
    assert heard == ["test begins", ("test ends", found)]
    heard.clear()
    model.predict(x, callbacks=[Listen()])
    assert heard == ["predict begins", "predict ends"]
    heard.clear()
    hooks = {name: lambda logs, name=name: heard.append(name) for name in ("on_test_begin", "on_predict_end")}
    model.predict(x, callbacks=[callbacks.LambdaCallback(**hooks)])
    model.evaluate(x, y, verbose=0, callbacks=[callbacks.LambdaCallback(**hooks)])
    assert heard == ["on_predict_end", "on_test_begin"]
    with pytest.raises(TypeError, match="'on_test_start'; did you mean"):
        callbacks.LambdaCallback(on_test_start=print)


def test_an_end_is_heard_where_an_evaluation_fails():
    heard = []

    def fail(logs):
        raise RuntimeError

    first = callbacks.LambdaCallback(on_test_begin=fail)
    last = callbacks.LambdaCallback(on_test_end=lambda logs: heard.append("end"))
    with pytest.raises(RuntimeError):
        new_model().evaluate(*data(), verbose=0, callbacks=[first, last])
    assert heard == ["end"]


# --- TensorBoard -------------------------------------------------------------------------------------------------


def events(folder):
    """What the event files in a folder say: (tag, step) to value or kind; their records are length, crc, data, crc."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.iterdir():
        raw, at = path.read_bytes(), 0
        while at < len(raw):
            size = int.from_bytes(raw[at : at + 8], "little")
            event = Event.FromString(raw[at + 12 : at + 12 + size])
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                found[value.tag, event.step] = value.simple_value if kind == "simple_value" else kind
            at += size + 16
    return found


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    model = new_model()
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True, write_steps_per_second=True)
    history = fit(model, 3, [board], validation_split=0.3).history
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for epoch in range(3):
        assert train["epoch_loss", epoch] == pytest.approx(history["loss"][epoch], rel=1e-6)
        assert validation["epoch_loss", epoch] == pytest.approx(history["val_loss"][epoch], rel=1e-6)
        assert validation["evaluation_loss_vs_iterations", 3 * (epoch + 1)] == validation["epoch_loss", epoch]
        assert train["epoch_learning_rate", epoch] == pytest.approx(0.1)
        assert train["epoch_steps_per_second", epoch] > 0
    kernel = model.weights[0].name
    assert (train[f"{kernel}/histogram", 2], train[f"{kernel}/image", 0]) == ("histo", "image")
    assert (f"{kernel}/histogram", 1) not in train
    assert ("model/text_summary", 0) in train


def test_tensorboard_of_steps(tmp_path):
    pytest.importorskip("tensorboardX")
    board = callbacks.TensorBoard(tmp_path, update_freq=3, write_graph=False)
    fit(new_model(), 2, [board])
    train = events(tmp_path / "train")
    assert [step for tag, step in train if tag == "batch_loss"] == [3, 6]
    assert callbacks.CallbackList([callbacks.TensorBoard()], new_model()).watcher("train") is None


def test_tensorboard_without_its_writer(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=re.escape('pip install "flyball[tensorboard]"')):
        fit(new_model(), 1, [callbacks.TensorBoard()])


def test_what_tensorboard_does_not_offer():
    for arguments, message in [
        ({"profile_batch": 2}, "profile_batch must be 0"),
        ({"embeddings_freq": 1}, "embeddings_freq must be 0"),
        ({"update_freq": "step"}, "update_freq must be one of epoch, batch, got 'step'"),
        ({"update_freq": 0}, "update_freq must be a positive integer, got 0"),
        ({"histogram_freq": -1}, "histogram_freq must be a non-negative integer, got -1"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            callbacks.TensorBoard(**arguments)
