"""A running training that is watched and steered: penalties, learning rates, steps back, and its picture."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers, optimizers, regularizers


def data(n=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    return x, (x.sum(axis=1) > 0).astype(int)


def new_model(optimizer=None, penalty=None, dtype="float64"):
    flyball.utils.clear_session()
    flyball.utils.set_random_seed(2)
    stack = [layers.Dense(5, "tanh", kernel_regularizer=penalty), layers.Dropout(0.2), layers.Dense(2, "softmax")]
    model = flyball.Sequential([flyball.Input((4,)), *stack], dtype=dtype)
    model.compile(optimizer or optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, epochs, watchers=(), **options):
    return model.fit(*data(), 16, epochs, 0, list(watchers), **options)


def at(epoch, act):
    """A callback that acts after an epoch, counted from 1, the first time it is there."""
    seen = []

    def once(now, logs):
        if now + 1 == epoch and not seen:
            seen.append(now)
            act()

    return callbacks.LambdaCallback(on_epoch_end=once)


# --- penalties ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["set", "in place", "by name"])
def test_a_penalty_acts_from_the_next_epoch_on(change, each_backend):
    """One step of plain SGD after the change moves the weights by the rate times the gradient, penalty's included."""
    x, y = data()
    plain = new_model(optimizers.SGD(0.1), penalty=regularizers.L2(0.0))
    steered = new_model(optimizers.SGD(0.1), penalty=regularizers.L2(0.0))
    before = []

    def act():
        layer = steered.layers[0]
        before.append(layer.get_weights()[0])
        if change == "in place":
            layer.kernel_regularizer.l2 = 0.3
        else:
            layer.kernel_regularizer = regularizers.L2(0.3) if change == "set" else "l2"

    plain.fit(x, y, len(x), 3, 0)
    steered.fit(x, y, len(x), 3, 0, [at(2, act)])
    factor = 0.01 if change == "by name" else 0.3
    expected = plain.layers[0].get_weights()[0] - 0.1 * 2 * factor * before[0]
    np.testing.assert_allclose(steered.layers[0].get_weights()[0], expected, rtol=0, atol=1e-12)
    for now, then in zip(steered.get_weights()[1:], plain.get_weights()[1:], strict=True):
        np.testing.assert_array_equal(now, then)
    losses, without = steered.history.history["loss"], plain.history.history["loss"]
    assert losses[:2] == without[:2]
    assert losses[2] == pytest.approx(without[2] + factor * np.square(before[0]).sum(), rel=1e-9)


def test_a_penalty_of_some_layers_leaves_the_optimizers_state():
    """Adam's moments stay with their weights when a penalty parts one group of parameters into several."""
    one, other = new_model(), new_model()
    zero = at(2, lambda: setattr(one.layers[0], "kernel_regularizer", regularizers.L1(0.0)))
    fit(one, 5, [zero])
    fit(other, 5)
    assert one.fingerprint() == other.fingerprint()
    tiny = new_model()
    fit(tiny, 5, [at(2, lambda: setattr(tiny.layers[-1], "bias_regularizer", regularizers.L2(1e-9)))])
    for now, then in zip(tiny.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(now, then, atol=1e-6)
    assert tiny.fingerprint() != other.fingerprint()


def test_a_penalty_that_is_none_says_so():
    model = new_model()
    with pytest.raises(ValueError, match="kernel_regularizer must be a regularizer or one of"):
        fit(model, 3, [at(1, lambda: setattr(model.layers[0], "kernel_regularizer", "l3"))])
    assert model.history.epoch == [0]


def test_other_settings_act_from_the_next_epoch_on():
    plain, steered = new_model(optimizers.SGD(0.1)), new_model(optimizers.SGD(0.1))
    fit(plain, 2)
    fit(steered, 2, [at(1, lambda: setattr(steered.layers[1], "rate", 0.9))])
    assert steered.history.history["loss"][0] == plain.history.history["loss"][0]
    assert steered.history.history["loss"][1] != plain.history.history["loss"][1]


def test_a_changed_penalty_is_saved_and_resumed(tmp_path):
    def run(watchers):
        model = new_model()
        change = at(2, lambda: setattr(model.layers[0], "kernel_regularizer", regularizers.L1L2(0.01, 0.02)))
        with contextlib.suppress(KeyboardInterrupt):
            fit(model, 6, [change, *watchers])
        return model

    def interrupt():
        raise KeyboardInterrupt

    whole = run([])
    run([callbacks.BackupAndRestore(tmp_path), at(4, interrupt)])
    resumed = new_model()
    fit(resumed, 6, [callbacks.BackupAndRestore(tmp_path)])
    assert resumed.fingerprint() == whole.fingerprint()
    assert resumed.layers[0].kernel_regularizer.l2 == 0.02


def test_the_penalty_of_the_whole_model_is_steered_saved_and_resumed(tmp_path):
    """One step of plain SGD after the change has the penalty's gradient for each kernel without one of its own."""
    x, y = data()
    plain, steered = (new_model(optimizers.SGD(0.1), penalty=regularizers.L2(0.0)) for _ in range(2))
    before, panda = [], callbacks.Steering()

    def act():
        before.append(steered.get_weights())
        panda.regularizer("*", "l2", 0.3)

    plain.fit(x, y, len(x), 3, 0)
    steered.fit(x, y, len(x), 3, 0, [panda, at(2, act)])
    for i, (now, then) in enumerate(zip(steered.get_weights(), plain.get_weights(), strict=True)):
        moved = 0.1 * 2 * 0.3 * before[0][i] if i == 2 else 0.0  # the first kernel has its own, biases are spared
        np.testing.assert_allclose(now, then - moved, rtol=0, atol=1e-12)

    def run(watchers):
        model = new_model()
        model.compile(model.optimizer, model.loss, regularizer=regularizers.L2(0.02), regularize_biases=True)
        other = at(2, lambda: setattr(model, "regularizer", regularizers.L1(0.01)))
        spare = at(2, lambda: setattr(model, "regularize_biases", False))
        with contextlib.suppress(KeyboardInterrupt):
            fit(model, 6, [other, spare, *watchers])
        return model

    def interrupt():
        raise KeyboardInterrupt

    whole = run([])
    run([callbacks.BackupAndRestore(tmp_path), at(4, interrupt)])
    resumed = new_model()
    fit(resumed, 6, [callbacks.BackupAndRestore(tmp_path)])
    assert resumed.fingerprint() == whole.fingerprint()
    assert (resumed.regularizer.l1, resumed.regularize_biases) == (0.01, False)


def test_a_step_back_takes_the_penalty_of_the_whole_model_along():
    whole, stepped = new_model(), new_model()
    panda = callbacks.Steering()

    def there_and_back():
        panda.regularizer("*", "l1", 0.5)
        panda.proceed(1)

    fit(whole, 5)
    fit(stepped, 5, [panda, at(2, there_and_back), at(3, lambda: (panda.go_back(2), panda.proceed()))])
    assert stepped.fingerprint() == whole.fingerprint()
    assert stepped.regularizer is None


def test_a_penalty_that_is_taken_away_leaves_nothing():
    """Also of weights whose layer has no argument for one."""
    model = flyball.Sequential([flyball.Input((4,)), layers.RMSNormalization(), layers.Dense(2, "softmax")])
    penalty = regularizers.L1L2(0.1, 0.2)
    model.compile("sgd", "sparse_categorical_crossentropy", regularizer=penalty, regularize_biases=True)
    assert all(weight.l1 > 0 and weight.l2 > 0 for weight in model.weights)
    model.regularizer = None
    fit(model, 1)
    assert all(weight.l1 == weight.l2 == 0 for weight in model.weights)


def test_penalties_inside_residual_blocks_are_steered_and_resumed(tmp_path):
    def residual():
        flyball.utils.clear_session()
        flyball.utils.set_random_seed(2)
        block = layers.Residual([layers.Dense(4, "tanh", name="inner", activity_regularizer="l2")])
        model = flyball.Sequential([flyball.Input((4,)), block, layers.Dense(2, "softmax")])
        model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        return model

    def run(watchers):
        model, panda = residual(), callbacks.Steering()
        inner = model.layers[0].layers[0]
        other = at(2, lambda: setattr(inner, "activity_regularizer", "l1"))
        with contextlib.suppress(KeyboardInterrupt):
            fit(model, 6, [panda, other, at(2, lambda: panda.regularizer("inner", "l2", 0.1)), *watchers])
        return model

    def interrupt():
        raise KeyboardInterrupt

    whole = run([])
    run([callbacks.BackupAndRestore(tmp_path), at(4, interrupt)])
    resumed = residual()
    fit(resumed, 6, [callbacks.BackupAndRestore(tmp_path)])
    assert resumed.fingerprint() == whole.fingerprint()
    assert resumed.layers[0].layers[0].kernel_regularizer.l2 == 0.1


# --- steering ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [None, lambda: optimizers.SGD(0.1, momentum=0.9), lambda: optimizers.Adagrad(0.1)])
def test_stepping_back_comes_to_the_same_bits(make, each_backend):
    whole, stepped = (new_model(make and make()) for _ in range(2))
    panda = callbacks.Steering()
    fit(whole, 7)
    history = fit(stepped, 7, [panda, at(5, lambda: panda.go_back(2))])
    assert panda.done == [(2, "go_back 2")]  # which is where it then was
    assert stepped.fingerprint() == whole.fingerprint()
    assert history.history == whole.history.history
    assert history.epoch == list(range(7))


def test_stepping_back_takes_the_other_callbacks_along():
    def watchers():
        plateau = callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.05, factor=0.5)
        return [plateau, callbacks.EarlyStopping("loss", patience=50, restore_best_weights=True)]

    whole, stepped = new_model(), new_model()
    panda = callbacks.Steering()
    fit(whole, 8, watchers())
    fit(stepped, 8, [*watchers(), panda, at(6, lambda: panda.go_back(1))])
    assert stepped.fingerprint() == whole.fingerprint()
    assert stepped.history.history == whole.history.history


def test_stepping_back_to_before_the_first_epoch():
    whole, stepped = new_model(), new_model()
    panda = callbacks.Steering()
    fit(whole, 4)
    fit(stepped, 4, [panda, at(3, lambda: panda.go_back(0))])
    assert stepped.fingerprint() == whole.fingerprint()


def test_another_way_from_there():
    """Back to epoch 2 with a smaller rate and a penalty is what a run that had them from epoch 3 on comes to."""
    stepped, direct = new_model(), new_model()
    panda, other = callbacks.Steering(), callbacks.Steering()

    def again():
        panda.go_back(2)
        panda.learning_rate(0.001)
        panda.regularizer("dense", "l2", 0.05)

    def once():
        other.learning_rate(0.001)
        other.regularizer("dense/kernel", regularizers.L2(0.05))

    fit(stepped, 6, [panda, at(4, again)])
    fit(direct, 6, [other, at(2, once)])
    assert stepped.fingerprint() == direct.fingerprint()
    assert stepped.optimizer.learning_rate == 0.001


def test_how_far_back_one_can_step():
    panda = callbacks.Steering(keep=2)
    kept = []
    look = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: kept.append(panda.epochs))
    fit(new_model(), 5, [panda, look])
    assert kept == [[], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert panda.epochs == []
    with pytest.raises(ValueError, match="epoch must be one of none, before training, got 3"):
        panda.go_back(3)
    model = new_model()
    with pytest.raises(ValueError, match="epoch must be one of 1, 2, 3, got 0"):
        fit(model, 5, [panda, at(4, lambda: panda.go_back(0))])


def test_from_another_thread(tmp_path):
    model, panda = new_model(), callbacks.Steering()
    panda.pause()  # before it begins: it waits after the first epoch
    run = threading.Thread(target=fit, args=(model, 9, [panda]), daemon=True)
    run.start()
    assert panda.wait(60)
    assert (panda.epoch, run.is_alive()) == (1, True)
    assert set(panda.logs) == {"loss", "accuracy"}
    panda.proceed(3)
    assert panda.wait(60)
    assert (panda.epoch, run.is_alive()) == (4, True)
    panda.go_back(2)
    panda.learning_rate(0.002)
    panda.save(tmp_path / "m")
    assert panda.wait(60)
    assert panda.epoch == 2
    panda.proceed(1)
    assert panda.wait(60)
    panda.stop()
    panda.proceed()
    run.join(60)
    assert not run.is_alive()
    assert panda.wait(0)
    assert model.history.epoch == [0, 1, 2]
    assert model.optimizer.learning_rate == 0.002
    assert flyball.load_model(tmp_path / "m").optimizer.iterations == 2 * 4
    assert [text for _, text in panda.done if " " not in text] == ["pause", "stop", "proceed"]


def test_through_a_file(tmp_path, capsys):
    path = tmp_path / "steer.txt"
    path.write_text("stop\n")  # of an earlier training
    model, panda = new_model(), callbacks.Steering(path, verbose=1)

    def write(text):
        with path.open("a") as file:
            file.write(text)

    writes = [
        at(1, lambda: write("# a remark\n\nlearning_rate 0.005\nregularizer dense/kernel l1_l2 0.1 0.2\nlearning")),
        at(2, lambda: write("_rate 0.006\nregularizer dense_1/bias none\n")),
        at(3, lambda: write(f"save '{tmp_path / 'with space'}'\ngo_back 1\nlearning_rate 0.001\n")),
        at(4, lambda: write("pause\nproceed 5\nproceed\nstop\n")),
    ]
    fit(model, 9, [panda, *writes])
    assert [(epoch, text.split()[0]) for epoch, text in panda.done] == [
        (1, "learning_rate"), (1, "regularizer"), (2, "learning_rate"), (2, "regularizer"), (3, "save"),
        (1, "go_back"), (1, "learning_rate"), (4, "pause"), (4, "proceed"),
        (4, "proceed"), (4, "stop"),
    ]  # fmt: skip
    assert model.history.epoch == [0, 1, 2, 3]
    penalty = model.layers[0].kernel_regularizer
    assert penalty is None  # stepped back to the end of epoch 1, before it was set
    assert model.optimizer.learning_rate == 0.001
    assert flyball.load_model(tmp_path / "with space").layers[0].kernel_regularizer.l2 == 0.2
    assert capsys.readouterr().out.splitlines()[0] == "Epoch 1: learning_rate 0.005"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rat 0.1", "command must be one of .*did you mean 'learning_rate'"),
        ("learning_rate -1", "learning_rate must be in"),
        ("learning_rate", "makes no sense"),
        ("learning_rate 1 2", "makes no sense"),
        ("go_back one", "invalid literal"),
        ("go_back 7", "epoch must be one of 0, 1, got 7"),
        ("regularizer other l2 0.1", "layer must be one of dense, dense_1, got 'other'"),
        ("regularizer dropout l2 0.1", "layer must be one of dense, dense_1, got 'dropout'"),
        ("regularizer dense l3 0.1", "regularizer must be a regularizer or one of"),
        ("regularizer dense l2 high", "could not convert string to float"),
        ("regularizer dense none 1", "factors must be given with the name of a regularizer only"),
        ("__init__", "command must be one of"),
        ("save 'half", "No closing quotation"),
        ("save /nowhere/m", "No such file or directory"),
    ],
)
def test_a_mistake_does_not_cost_the_training(tmp_path, line, message):
    path = tmp_path / "steer.txt"
    model = new_model()
    with pytest.warns(UserWarning, match=f"(?s)steering: .*{message}"):
        fit(model, 2, [callbacks.Steering(path), at(1, lambda: path.write_text(f"{line}\n"))])
    assert model.history.epoch == [0, 1]


def test_bad_arguments():
    for make, message in [
        (lambda: callbacks.Steering(keep=-1), "keep must be a non-negative integer, got -1"),
        (lambda: callbacks.Steering().proceed(0), "epochs must be a positive integer, got 0"),
        (lambda: callbacks.Steering(verbose=2), "verbose must be 0 or 1, got 2"),
        (lambda: callbacks.Steering().learning_rate("fast"), "learning_rate must be in [0, inf), got 'fast'"),
        (lambda: callbacks.Steering().regularizer("dense", 3), "regularizer must be a regularizer or one of"),
        (lambda: callbacks.LiveCurve(seconds=-1), "seconds must be in [0, inf), got -1"),
        (lambda: callbacks.LiveCurve(notebook=1), "notebook must be True or False, got 1"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            make()


# --- the picture -------------------------------------------------------------------------------------------------


def test_a_live_curve(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "curve.svg"
    seen = []
    curve = callbacks.LiveCurve(path, seconds=0)
    look = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(path.exists() and path.read_bytes()))
    stop = callbacks.EarlyStopping("loss", min_delta=9, patience=3)
    fit(new_model(), 9, [curve, look, stop], validation_split=0.3)
    assert seen[0] is False
    assert len(set(seen[1:])) == len(seen) - 1 == 3  # another one after each epoch
    for picture in (*seen[1:], path.read_bytes()):
        ET.fromstring(picture)
    assert [file.name for file in tmp_path.iterdir()] == ["curve.svg"]


def test_a_live_curve_is_drawn_when_it_is_time(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(callbacks.LiveCurve, "_draw", lambda self, running: drawn.append(running))
    fit(new_model(), 5, [callbacks.LiveCurve(tmp_path / "c.png", seconds=0)])
    assert drawn == [True] * 5 + [False]
    drawn.clear()
    curve = callbacks.LiveCurve(tmp_path / "c.png", seconds=1e6)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    fit(new_model(), 5, [curve])
    assert drawn == [False]


def test_a_live_curve_in_a_notebook(monkeypatch):
    pytest.importorskip("matplotlib")
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(("update", type(figure).__name__))

    def display(figure, display_id=None):
        shown.append(("display", type(figure).__name__))
        return Handle()

    shell = type("Shell", (), {"kernel": object()})()
    module = type("IPython", (), {"get_ipython": staticmethod(lambda: shell)})
    monkeypatch.setitem(__import__("sys").modules, "IPython", module)
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", type("M", (), {"display": staticmethod(display)}))
    fit(new_model(), 2, [callbacks.LiveCurve(seconds=0)])
    assert shown == [("display", "Figure"), ("update", "Figure"), ("update", "Figure")]


def test_a_live_curve_without_matplotlib(monkeypatch):
    import importlib

    def missing(name):
        raise ImportError(name)

    model = new_model()
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=re.escape('pip install "flyball[plot]"')):
        fit(model, 2, [callbacks.LiveCurve("c.png")])
