"""Ctrl-C and errors in the middle of a training: what was learnt is kept, every callback hears of the end."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers


def data(n=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    return x, (x.sum(axis=1) > 0).astype(int)


def new_model():
    flyball.utils.clear_session()
    flyball.utils.set_random_seed(2)
    model = flyball.Sequential([flyball.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(2, "softmax")])
    model.compile(flyball.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, epochs, watchers, **options):
    return model.fit(*data(), 16, epochs, 0, list(watchers), **options)


def fails_at(epoch, error):
    def fail(now, logs):
        if now == epoch:
            raise error

    return callbacks.LambdaCallback(on_epoch_end=fail)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("place", [0, 99])
def test_an_epoch_that_was_learnt_is_recorded_by_all(tmp_path, error, place):
    """Wherever in the list a callback raises at an epoch's end, all others hear of the epoch."""
    pytest.importorskip("matplotlib")
    others = [
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.ModelCheckpoint(tmp_path / "{epoch}"),
        callbacks.ReduceLROnPlateau("loss"),
        callbacks.LiveCurve(tmp_path / "curve.png"),
        callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    others.insert(place, fails_at(2, error))
    model, whole = new_model(), new_model()
    with pytest.raises(error):
        fit(model, 6, others)
    assert model.history.epoch == [0, 1, 2]
    assert (tmp_path / "log.csv").read_text().splitlines()[-1].startswith("2,")
    assert flyball.load_model(tmp_path / "3").fingerprint() == model.fingerprint()
    assert (tmp_path / "curve.png").exists()
    assert model.optimizer.iterations == 3 * 4
    resumed = new_model()
    fit(resumed, 6, [callbacks.BackupAndRestore(tmp_path / "backup"), callbacks.ReduceLROnPlateau("loss")])
    fit(whole, 6, [callbacks.ReduceLROnPlateau("loss")])
    assert resumed.fingerprint() == whole.fingerprint()
    assert resumed.history.history == whole.history.history


def test_the_end_reaches_all_though_one_fails(tmp_path):
    heard = []

    def fail(logs):
        raise RuntimeError("first")

    first = callbacks.LambdaCallback(on_train_end=fail)
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    last = callbacks.LambdaCallback(on_train_end=heard.append)
    with pytest.raises(RuntimeError, match="first"):
        fit(new_model(), 1, [first, log, last])
    assert len(heard) == 1
    assert set(heard[0]) == {"loss", "accuracy"}  # the last epoch's
    assert log._file is None


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
@pytest.mark.parametrize("step", [1, 4, 6])
def test_an_error_in_a_hook_of_steps_loses_no_step(tmp_path, hook, step):
    seen = []

    def fail(batch, logs):
        seen.append(batch)
        if len(seen) == step:
            raise KeyboardInterrupt

    broken, resumed, whole = new_model(), new_model(), new_model()
    with pytest.raises(KeyboardInterrupt):
        fit(broken, 3, [callbacks.BackupAndRestore(tmp_path), callbacks.LambdaCallback(**{hook: fail})])
    assert broken.optimizer.iterations == (step if hook.endswith("end") else step - 1)
    fit(resumed, 3, [callbacks.BackupAndRestore(tmp_path)])
    fit(whole, 3, [])
    assert resumed.fingerprint() == whole.fingerprint()
    assert resumed.history.history == whole.history.history


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is POSIX's")
def test_a_real_ctrl_c(tmp_path, interruptible, each_backend):
    """At whatever step it comes: the model is where so many steps bring it, and the run goes on from there."""
    x, y = (np.tile(array, (40,) + (1,) * (array.ndim - 1)) for array in data())

    def train(model, epochs, watchers):
        return model.fit(x, y, 4, epochs, 0, watchers)

    model = new_model()
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(model, 10_000, [callbacks.BackupAndRestore(tmp_path)])
    timer.join()
    done = model.optimizer.iterations
    assert done > 0
    epochs = done // 600 + 2
    resumed, whole = new_model(), new_model()
    train(resumed, epochs, [callbacks.BackupAndRestore(tmp_path)])
    train(whole, epochs, [])
    assert resumed.fingerprint() == whole.fingerprint()
    assert resumed.history.history == whole.history.history
