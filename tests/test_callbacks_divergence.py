"""A training that diverges stops, and says where it first went wrong."""

from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers, metrics, optimizers
from flyball.callbacks import DivergenceWarning, TerminateOnNaN, termination

# NumPy says of each operation of the reference what overflows in it.
pytestmark = pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")


def data(n=80):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return x, (x @ np.array([1.0, -2.0, 0.5]))[:, None].astype(np.float32)


def new_model(learning_rate=1.0, dtype="float32", **options):
    flyball.utils.clear_session()
    flyball.utils.set_random_seed(0)
    model = flyball.Sequential([flyball.Input((3,)), layers.Dense(4), layers.Dense(1)], dtype=dtype)
    model.compile(optimizers.SGD(learning_rate, **options), "mse")
    return model


def fill(model, layer, value):
    model.layers[layer].weights[0].value.fill(value)


def first_bad_step(learning_rate, batch_size=16, epochs=20):
    """Where parameters or loss stop being finite, looked for with hooks of steps; the loss of the step before."""
    model, found, losses = new_model(learning_rate), [], []

    class Look(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.rate = self.model.optimizer.learning_rate

        def on_train_batch_end(self, batch, logs=None):
            total = logs["loss"] * (batch + 1)
            losses.append(total - sum(losses[len(losses) - batch :]) if batch else total)
            finite = math.isfinite(logs["loss"]) and all(np.isfinite(w).all() for w in self.model.get_weights())
            if not found and not finite:
                found.append((len(self.model.history.epoch) + 1, batch + 1))
                self.model.stop_training = True

    model.fit(*data(), batch_size, epochs, 0, [Look()], terminate_on_nan=False)
    return found[0], losses


@pytest.mark.parametrize("learning_rate", [0.8, 2.0, 1e3])
def test_it_names_the_first_step_that_was_not_finite(learning_rate, each_backend):
    (epoch, step), losses = first_bad_step(learning_rate)
    model = new_model(learning_rate)
    with pytest.warns(DivergenceWarning) as caught:
        history = model.fit(*data(), 16, 30, 0)
    texts = [str(warning.message) for warning in caught if warning.category is DivergenceWarning]
    text = texts[0]
    assert len(texts) == 1
    assert text.startswith(f"training diverged in epoch {epoch}, step {step} of 5: ")
    assert f"The learning rate was {learning_rate:g}. A smaller learning rate, clipnorm=1.0" in text
    said = float(re.search(r"step before was (\S+)\. ", text)[1])
    assert said == pytest.approx(losses[-2], rel=2e-3)
    assert len(history.epoch) == epoch
    assert not math.isfinite(history.history["loss"][-1])


def test_a_second_run_is_replayed_from_its_own_beginning(each_backend):
    """Its snapshot lies in the memory of the first one's; a snapshot of the first would name a later step."""
    model = new_model(1e-3)
    model.fit(*data(), 16, 3, 0)
    weights, rate = model.get_weights(), 2.0
    model.optimizer.learning_rate = rate
    with pytest.warns(DivergenceWarning, match="diverged") as caught:
        model.fit(*data(), 16, 30, 0, shuffle=False)
    fresh = new_model(rate)
    fresh.set_weights(weights)
    with pytest.warns(DivergenceWarning, match="diverged") as expected:
        fresh.fit(*data(), 16, 30, 0, shuffle=False)
    assert str(caught[0].message) == str(expected[0].message)


def test_two_guards_have_snapshots_of_their_own(monkeypatch):
    monkeypatch.setattr(termination, "STEPS", 1)
    model, guards = new_model(1e-3), [TerminateOnNaN(), TerminateOnNaN()]
    held = []

    class Look(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            held.append([guard._snapshot.arrays for guard in guards])

    model.fit(*data(), 16, 2, 0, [*guards, Look()])
    assert not any(np.shares_memory(a, b) for first, second in held for a, b in zip(first, second, strict=True))
    assert all(guard._snapshot is None for guard in guards)


def test_a_rate_that_changes_between_epochs_is_replayed():
    raised = callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 if epoch < 3 else 1e4)
    with pytest.warns(DivergenceWarning, match=r"epoch 4, step \d of 5.*The learning rate was 10000\."):
        new_model().fit(*data(), 16, 9, 0, [raised])


def test_steps_are_counted_as_they_were():
    # The 23rd step is far too large; what Adam squares in the one after it is not a float32.
    rates = optimizers.schedules.PiecewiseConstantDecay([21], [0.001, 1e9])
    model = new_model()
    model.compile(optimizers.Adam(rates), "mse")
    with pytest.warns(DivergenceWarning, match=r"epoch 5, step 4 of 5: .*The learning rate was 1e\+09\."):
        model.fit(*data(), 16, 9, 0)


def test_what_the_diagnosis_leaves():
    """Steps are run again and put back: the model is where it was without the diagnosis."""
    one, other = new_model(), new_model()
    with pytest.warns(DivergenceWarning):
        one.fit(*data(), 16, 30, 0)
    other.fit(*data(), 16, len(one.history.epoch), 0, terminate_on_nan=False)
    assert one.fingerprint() == other.fingerprint()
    assert one.optimizer.learning_rate == 1.0


def test_a_training_that_converges_is_as_without_it():
    one, other = new_model(0.01), new_model(0.01)
    one.fit(*data(), 16, 3, 0)
    other.fit(*data(), 16, 3, 0, terminate_on_nan=False)
    assert one.fingerprint() == other.fingerprint()
    assert one.history.epoch == [0, 1, 2]


def test_it_can_raise():
    model = new_model()
    with pytest.raises(RuntimeError, match="training diverged in epoch"):
        model.fit(*data(), 16, 30, 0, [TerminateOnNaN(raise_error=True)])
    assert len(model.history.epoch) < 30
    with pytest.raises(ValueError, match="raise_error must be True or False, got 1"):
        TerminateOnNaN(1)
    with pytest.raises(ValueError, match="terminate_on_nan must be True or False, got 0"):
        model.fit(*data(), 16, 30, 0, terminate_on_nan=0)


def test_the_best_weights_come_back():
    model = new_model(0.6)
    best = callbacks.EarlyStopping("loss", patience=99, restore_best_weights=True)
    with pytest.warns(DivergenceWarning):
        model.fit(*data(), 16, 60, 0, [best])
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_long_epoch_is_left_at_once():
    x, y = (np.tile(array, (4000, 1)) for array in data())
    model = new_model()
    began = time.perf_counter()
    with pytest.warns(DivergenceWarning, match="epoch 1, step"):
        model.fit(x, y, 1, 1000, 0)
    assert time.perf_counter() - began < 20
    assert model.optimizer.iterations < len(x)  # one epoch has so many steps


def test_a_snapshot_inside_an_epoch(monkeypatch):
    """With a snapshot at every look, few steps are run again, and the same one is found."""
    x, y = (np.tile(array, (5, 1)) for array in data())
    x[389] = 3e38  # finite, but what a layer makes of it is not
    flyball.use_backend("reference")  # looks up after every step
    monkeypatch.setattr(flyball.training.steps, "INTERVAL", 0.0)

    taken = []
    take = TerminateOnNaN._take
    monkeypatch.setattr(TerminateOnNaN, "_take", lambda self, *given: (taken.append(given[1]), take(self, *given)))

    def said():
        taken.clear()
        with pytest.warns(DivergenceWarning) as caught:
            new_model(1e-6).fit(x, y, 1, 2, 0, shuffle=False)
        return str(caught[-1].message)

    whole = said()
    assert "epoch 1, step 390 of 400" in whole
    assert taken == [0]
    monkeypatch.setattr(termination, "SECONDS", 0.0)
    assert said() == re.sub(r"The loss of the step before was \S+ ", "", whole)  # no step before it is run again
    assert taken == list(range(390))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda model: model.layers[0].weights[0].value.fill(np.nan),
            "the outputs of layer 'dense' were not finite (100% nan)",
        ),
        (lambda model: model.layers[1].weights[0].value.fill(3e38), "the outputs of layer 'dense_1' were not finite"),
    ],
)
def test_which_layer(spoil, message, each_backend):
    model = new_model(0.0)
    spoil(model)
    with pytest.warns(DivergenceWarning, match=re.escape(message)):
        model.fit(*data(), 16, 2, 0)


def test_gradients_and_weights():
    x, y = data()
    y[:] = 1e30
    model = new_model(1.0)
    with pytest.warns(DivergenceWarning, match="the loss or its gradient was not finite"):
        model.fit(x, y, 16, 2, 0)
    y[:] = 1e15  # its square, 1e30, is a float32; what the gradient makes of weights is not
    model = new_model(1e30)
    with pytest.warns(DivergenceWarning, match=r"the update made .* of the weights 'dense.*not finite"):
        model.fit(x, y, 16, 2, 0)


def test_batches():
    x, y = data()
    batches = [(x[i : i + 16], y[i : i + 16]) for i in range(0, len(x), 16)]
    model = new_model(1e3)
    with pytest.warns(DivergenceWarning, match=r"training diverged in epoch 1, step 3: the loss or its gradient"):
        model.fit(batches, epochs=30, verbose=0, shuffle=False)
    assert len(model.history.epoch) < 30


def test_large_models_have_no_snapshot(monkeypatch):
    monkeypatch.setattr(termination, "LARGEST", 10)
    with pytest.warns(
        DivergenceWarning, match=r"training diverged in epoch \d, step 5: .* of the weights 'dense/kernel'"
    ):
        new_model().fit(*data(), 16, 30, 0)


def test_a_validation_that_is_not_finite():
    x, y = data()
    model = new_model(0.01)
    spoil = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch == 4 and fill(model, 0, np.nan))
    with pytest.warns(DivergenceWarning):
        model.fit(x, y, 16, 3, 0, [spoil], validation_data=(x, y))
    assert model.history.epoch == [0]


def test_metrics_that_refuse_what_is_not_finite(each_backend):
    """Neither the diagnosis nor the history stumbles over a metric that has to have probabilities."""
    x, y = data()
    model = flyball.Sequential([flyball.Input((3,)), layers.Dense(4), layers.Dense(1, "sigmoid")])
    model.compile(optimizers.SGD(1e30), "binary_crossentropy", metrics=["auc", "accuracy"])
    with pytest.warns(DivergenceWarning, match="training diverged in epoch 1, step"):
        history = model.fit(x, y > 0, 16, 3, 0).history
    assert np.isnan(history["auc"]).all()
    found = model.evaluate(x, y > 0, return_dict=True)
    assert math.isnan(found["auc"])
    assert 0.0 <= found["accuracy"] <= 1.0
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    assert 0.0 < model.evaluate(x, y > 0, return_dict=True)["auc"] < 1.0


def test_an_epoch_that_is_left_has_the_metrics_of_the_steps_it_had():
    x, y = (np.tile(array, (4000, 1)) for array in data())
    model = flyball.Sequential([flyball.Input((3,)), layers.Dense(1, "sigmoid")])
    model.compile(optimizers.SGD(0.0), "binary_crossentropy", metrics=["auc"])  # what it says does not change
    seen = []

    class LeaveOnce(TerminateOnNaN):
        def on_progress(self, done):
            seen.append(done)
            return False

    history = model.fit(x, y > 0, 1, 1, 0, [LeaveOnce()], shuffle=False).history
    done = seen[0]
    assert model.optimizer.iterations == done < len(x)
    expected = metrics.AUC()
    expected.update_state(y[:done] > 0, model.predict(x[:done], verbose=0))
    assert history["auc"][0] == pytest.approx(expected.result(), rel=1e-5)


def test_epochs_that_a_step_back_undid_are_not_replayed():
    def message(*, back):
        model, panda = new_model(0.01), callbacks.Steering()

        class Lead(callbacks.Callback):
            stepped = False

            def on_epoch_end(self, epoch, logs=None):
                if epoch == 5 and back and not self.stepped:
                    self.stepped = True
                    panda.go_back(3)
                elif epoch == 4 and self.stepped is back:
                    panda.learning_rate(1e30)

        with pytest.warns(DivergenceWarning) as warned:
            model.fit(*data(), 16, 9, 0, [Lead(), panda])
        return str(warned[0].message)

    straight = message(back=False)
    assert "epoch 6, step" in straight
    assert "The loss of the step before" in straight
    assert message(back=True) == straight
