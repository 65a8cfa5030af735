"""Callbacks: hooks, history, and early stopping that gives back the right weights."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers


class Model:
    """As much of a model as callbacks see: its weights count the epochs that were trained."""

    def __init__(self):
        self.weights, self.stop_training = [np.zeros(1)], False

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        self.weights = [np.array(weight) for weight in weights]


def run(callback, values, monitor="val_loss", steps=7, interrupt_at=None):
    """Train a fake model whose weights after epoch k are k + 1; return it and the epochs run."""
    model, epochs = Model(), 0
    watchers = callbacks.CallbackList([callback], model)
    watchers.set_params({"epochs": len(values), "steps": steps, "verbose": 0})
    watchers.on_train_begin()
    try:
        for epoch, value in enumerate(values):
            watchers.on_epoch_begin(epoch)
            model.weights[0] += 1
            if epoch == interrupt_at:
                raise KeyboardInterrupt
            watchers.on_epoch_end(epoch, {monitor: value})
            epochs += 1
            if model.stop_training:
                break
    except KeyboardInterrupt:
        pass
    finally:
        watchers.on_train_end()
    return model, epochs


def restored(model):
    """Number of the epoch (from 1) at whose end the model's weights were as they are."""
    return int(model.weights[0][0])


# --- early stopping ----------------------------------------------------------------------------------------------


def test_defaults_are_kerass():
    stopper = callbacks.EarlyStopping()
    assert (stopper.monitor, stopper.min_delta, stopper.patience, stopper.verbose) == ("val_loss", 0, 0, 0)
    assert (stopper.mode, stopper.baseline, stopper.restore_best_weights, stopper.start_from_epoch) == (
        "auto",
        None,
        False,
        0,
    )


@pytest.mark.parametrize(
    ("options", "values", "epochs", "best"),
    [
        ({"patience": 0}, [3, 2, 2, 1], 3, 1),
        ({"patience": 2}, [3, 2, 2, 1, 2, 2, 2, 2], 6, 3),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.8, 2.6, 1], 3, 0),
        ({"patience": 2, "min_delta": -0.5}, [3, 2.8, 2.6, 1], 3, 0),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 3, 2], 4, 2),
        ({"patience": 1, "start_from_epoch": 2}, [1, 9, 5, 4, 6, 6], 5, 3),
        ({"patience": 2, "baseline": 1.0}, [3, 2, 1.5, 1.2], 4, 3),
        ({"patience": 2, "baseline": 1.0}, [3, 2, 2.5, 1.2], 3, 1),
        ({"patience": 2, "baseline": 1.0}, [3, 0.9, 0.95, 0.96, 0.5], 4, 1),
        ({"patience": 1}, [math.nan, math.nan, 1.0], 2, 0),
        ({"patience": 2}, [math.nan, 2.0, math.nan, 1.0, 1.0, 1.0], 6, 3),
    ],
)
@pytest.mark.parametrize("restore", [True, False])
def test_when_it_stops_and_what_it_restores(options, values, epochs, best, restore):
    stopper = callbacks.EarlyStopping(restore_best_weights=restore, **options)
    model, ran = run(stopper, values)
    assert (ran, stopper.best_epoch) == (epochs, best)
    assert restored(model) == (best + 1 if restore else epochs)


def test_patience_zero_never_stops_at_the_first_epoch():
    assert run(callbacks.EarlyStopping(), [math.nan, math.nan])[1] == 2


def test_keras_12511_best_weights_are_restored_when_epochs_run_out():
    stopper = callbacks.EarlyStopping(patience=50, restore_best_weights=True)
    model, epochs = run(stopper, [5, 3, 4, 4.5])
    assert (epochs, stopper.stopped_epoch, restored(model)) == (4, 0, 2)


def test_keras_12511_best_weights_are_restored_when_another_callback_stops():
    model = Model()
    stopper = callbacks.EarlyStopping(patience=50, restore_best_weights=True)
    other = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 2))
    watchers = callbacks.CallbackList([stopper, other], model)
    watchers.set_params({"steps": 2})
    watchers.on_train_begin()
    for epoch, value in enumerate([5, 3, 4]):
        model.weights[0] += 1
        watchers.on_epoch_begin(epoch)
        watchers.on_epoch_end(epoch, {"val_loss": value})
    assert model.stop_training
    watchers.on_train_end()
    assert restored(model) == 2


def test_best_weights_are_restored_after_an_interrupt():
    model, _ = run(callbacks.EarlyStopping(patience=9, restore_best_weights=True), [5, 3, 4, 2], interrupt_at=3)
    assert restored(model) == 2


def test_an_interrupt_in_the_first_epoch_leaves_the_weights():
    model, _ = run(callbacks.EarlyStopping(restore_best_weights=True), [5], interrupt_at=0)
    assert restored(model) == 1


def test_keras_20323_the_weights_of_a_single_step_are_those_it_was_measured_with():
    stopper = callbacks.EarlyStopping("loss", patience=50, restore_best_weights=True)
    model, _ = run(stopper, [5, 1, 3], monitor="loss", steps=1)
    assert (stopper.best_epoch, restored(model)) == (1, 1)  # the second epoch's loss is of the first epoch's weights


def data(n=120):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 6))
    return x, (x @ rng.normal(size=6) + rng.normal(size=n))[:, None]


def regression(learning_rate):
    flyball.utils.set_random_seed(3)
    model = flyball.Sequential([flyball.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1)], dtype="float64")
    model.compile(flyball.optimizers.SGD(learning_rate, momentum=0.9), "mse")
    return model


def test_keras_20323_the_restored_model_has_the_best_training_loss():
    x, y = data()
    model = regression(0.1)  # large enough for the loss to go up and down
    stopper = callbacks.EarlyStopping("loss", patience=40, restore_best_weights=True)
    history = model.fit(x, y, batch_size=len(x), epochs=15, verbose=0, callbacks=[stopper]).history
    losses = history["loss"]
    assert losses != sorted(losses, reverse=True)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(min(losses), rel=1e-9)


def test_keras_12511_the_restored_model_has_the_best_validation_loss():
    x, y = data()
    model = regression(0.05)
    stopper = callbacks.EarlyStopping(patience=40, restore_best_weights=True)
    history = model.fit(
        x[:80], y[:80], 16, epochs=12, verbose=0, callbacks=[stopper], validation_data=(x[80:], y[80:])
    ).history
    assert model.evaluate(x[80:], y[80:], verbose=0) == pytest.approx(min(history["val_loss"]), rel=1e-9)
    assert stopper.best == min(history["val_loss"])


def test_best_weights_are_restored_when_fit_is_interrupted():
    x, y = data()
    model = regression(0.01)
    kept = []

    def keep(epoch, logs):
        kept.append(model.get_weights())
        if epoch == 3:
            raise KeyboardInterrupt

    stopper = callbacks.EarlyStopping("loss", min_delta=1e9, patience=40, restore_best_weights=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, 16, epochs=9, verbose=0, callbacks=[stopper, callbacks.LambdaCallback(on_epoch_end=keep)])
    for now, then in zip(model.get_weights(), kept[0], strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize(("monitor", "best"), [("val_accuracy", 2), ("acc", 2), ("val_loss", 1), ("val_auc", 2)])
def test_auto_mode(monitor, best):
    stopper = callbacks.EarlyStopping(monitor, patience=9)
    run(stopper, [2, 1, 3], monitor=monitor)
    assert stopper.best_epoch == best


def test_it_can_be_used_again():
    stopper = callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    run(stopper, [1, 2, 2])
    model, epochs = run(stopper, [5, 4, 3])
    assert (epochs, restored(model), stopper.stopped_epoch) == (3, 3, 0)


def test_a_quantity_that_is_not_there_is_warned_about_once():
    stopper = callbacks.EarlyStopping("val_los")
    with pytest.warns(UserWarning, match="monitor must be one of val_loss, got 'val_los'") as caught:
        run(stopper, [3, 4, 5])
    assert len(caught) == 1
    assert "did you mean 'val_loss'?" in str(caught[0].message)


def test_what_it_says(capsys):
    run(callbacks.EarlyStopping(verbose=1, restore_best_weights=True), [1, 2])
    assert capsys.readouterr().out == ("Epoch 2: early stopping\nRestoring model weights from the best epoch: 1\n")
    run(callbacks.EarlyStopping(restore_best_weights=True), [1, 2])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": 3}, "monitor must be a non-empty string, got 3"),
        ({"min_delta": math.nan}, "min_delta must be a finite number, got nan"),
        ({"patience": -1}, "patience must be a non-negative integer, got -1"),
        ({"patience": 1.5}, "patience must be a non-negative integer, got 1.5"),
        ({"verbose": 2}, "verbose must be 0 or 1, got 2"),
        ({"mode": "maximum"}, "mode must be one of auto, min, max, got 'maximum'"),
        ({"baseline": "low"}, "baseline must be a finite number, got 'low'"),
        ({"restore_best_weights": 1}, "restore_best_weights must be True or False, got 1"),
        ({"start_from_epoch": -1}, "start_from_epoch must be a non-negative integer, got -1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        callbacks.EarlyStopping(**options)


# --- the others --------------------------------------------------------------------------------------------------


def test_history():
    history = callbacks.History()
    run(history, [3.0, 2.0], monitor="loss")
    history.on_epoch_end(2, {"loss": 1.0, "val_loss": 4.0})
    assert history.epoch == [0, 1, 2]
    assert history.history == {"loss": [3.0, 2.0, 1.0], "val_loss": [4.0]}


def test_lambda_callback_calls_what_it_is_given():
    calls = []
    callback = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: calls.append(("begin", epoch)),
        on_epoch_end=lambda epoch, logs: calls.append(("end", epoch, logs)),
        on_train_begin=lambda logs: calls.append("train"),
        on_train_end=lambda logs: calls.append("done"),
    )
    run(callback, [1.0], monitor="loss")
    assert calls == ["train", ("begin", 0), ("end", 0, {"loss": 1.0}), "done"]
    run(callbacks.LambdaCallback(), [1.0])
    with pytest.raises(ValueError, match="on_epoch_end must be callable, got 3"):
        callbacks.LambdaCallback(on_epoch_end=3)


def test_callbacks_are_checked():
    with pytest.raises(TypeError, match=re.escape("callbacks must be instances of flyball.callbacks.Callback, got 3")):
        callbacks.CallbackList([3], Model())


def test_every_callback_hears_of_the_end():
    heard = []

    def fail(logs):
        msg = "first"
        raise RuntimeError(msg)

    watchers = callbacks.CallbackList(
        [callbacks.LambdaCallback(on_train_end=fail), callbacks.LambdaCallback(on_train_end=heard.append)], Model()
    )
    with pytest.raises(RuntimeError, match="first"):
        watchers.on_train_end()
    assert heard == [None]


def test_fit_drives_callbacks():
    x, y = data()
    seen = []

    class Watch(callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(dict(self.params))

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

    history = regression(0.01).fit(x, y, 32, epochs=5, verbose=0, callbacks=[Watch()], validation_split=0.2)
    assert seen[0] == {"epochs": 5, "steps": 3, "verbose": 0}
    assert seen[1:] == [(0, ["loss", "val_loss"]), (1, ["loss", "val_loss"])]
    assert history.epoch == [0, 1]


# --- steps -------------------------------------------------------------------------------------------------------


def test_hooks_of_steps_change_nothing_and_see_running_means():
    x, y = data()
    plain, watched = regression(0.01), regression(0.01)
    watched.set_weights(plain.get_weights())
    watched._seed = plain._seed
    seen = []
    steps = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(("begin", batch)),
        on_train_batch_end=lambda batch, logs: seen.append(("end", batch, logs["loss"])),
    )
    expected = plain.fit(x, y, 32, epochs=2, verbose=0)
    history = watched.fit(x, y, 32, epochs=2, verbose=0, callbacks=[steps])
    assert history.history == expected.history
    assert watched.fingerprint() == plain.fingerprint()
    per_epoch = -(-len(x) // 32)
    assert [entry[:2] for entry in seen] == [(edge, i) for i in range(per_epoch) for edge in ("begin", "end")] * 2
    assert seen[2 * per_epoch - 1][2] == history.history["loss"][0]


def test_a_hook_of_steps_can_stop_and_steer():
    x, y = data()
    model = regression(0.01)

    class Steer(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.0
            self.model.stop_training = batch == 1

    once = regression(0.01)
    for each in (model, once):
        each.compile(flyball.optimizers.SGD(0.01), "mse")  # momentum would move the weights at any rate
    once.set_weights(model.get_weights())
    once._seed = model._seed
    once.fit(x, y, 32, epochs=1, verbose=0, callbacks=[Stop()])
    model.fit(x, y, 32, epochs=3, verbose=0, callbacks=[Steer()])
    assert model.optimizer.iterations == 2
    assert model.history.epoch == [0]
    # The second step had a learning rate of 0.
    for one, other in zip(once.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Stop(callbacks.Callback):
    """Ends training after the first step."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


def test_an_exception_in_a_hook_of_steps_leaves_the_last_step():
    x, y = data()
    model = regression(0.01)

    def fail(batch, logs):
        if batch == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        model.fit(x, y, 32, epochs=3, verbose=0, callbacks=[callbacks.LambdaCallback(on_train_batch_end=fail)])
    assert model.optimizer.iterations == 2
    model.fit(x, y, 32, verbose=0)


def test_a_single_callback_needs_no_list():
    x, y = data()
    for given in (callbacks.EarlyStopping("loss", patience=0), (callbacks.EarlyStopping("loss", patience=0),)):
        history = regression(0.0).fit(x, y, epochs=5, verbose=0, callbacks=given)
        assert history.epoch == [0, 1]
    heard = []
    hook = callbacks.LambdaCallback(on_test_end=heard.append, on_predict_end=heard.append)
    model = regression(0.01)
    model.evaluate(x, y, callbacks=hook)
    model.predict(x, callbacks=hook)
    assert len(heard) == 2
    with pytest.raises(TypeError, match=re.escape("callbacks must be a list of flyball.callbacks.Callback, got 'x'")):
        model.fit(x, y, verbose=0, callbacks="x")


def test_who_refuses_the_training_leaves_the_average():
    """A finished training with use_ema has the average; a fit that is refused does not go on from the weights."""

    class Refuse(callbacks.Callback):
        def on_train_begin(self, logs=None):
            msg = "not now"
            raise ValueError(msg)

    x, y = data()
    model = regression(0.01)
    model.compile(flyball.optimizers.SGD(0.01, use_ema=True, ema_momentum=0.9), "mse")
    model.fit(x, y, epochs=2, verbose=0)
    before, print_before = model.get_weights(), model.fingerprint()
    with pytest.raises(ValueError, match="not now"):
        model.fit(x, y, verbose=0, callbacks=[Refuse()])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.fingerprint() == print_before
