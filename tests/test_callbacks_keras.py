"""Callbacks under Keras' names: their decisions beside Keras' own, their files, and their arguments."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers, optimizers

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("callbacks.json").read_text())


def data(n=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    return x, (x.sum(axis=1) > 0).astype(int)


def new_model(optimizer=None):
    flyball.utils.clear_session()
    flyball.utils.set_random_seed(2)
    model = flyball.Sequential([flyball.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(2, "softmax")])
    model.compile(optimizer or optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Model:
    """As much of a model as callbacks see."""

    def __init__(self, learning_rate=0.1):
        self.optimizer, self.stop_training, self.saved = optimizers.SGD(learning_rate), False, []

    def get_weights(self):
        return []

    def set_weights(self, weights):
        pass

    def save(self, path):
        self.saved.append(str(path))

    save_weights = save


def run(callback, values, model=None, monitor="val_loss"):
    """Drive the callback as fit does; return the model and the learning rate of each epoch."""
    model, rates = model or Model(), []
    watchers = callbacks.CallbackList([callback], model)
    watchers.set_params({"epochs": len(values), "steps": 3, "verbose": 0})
    watchers.on_train_begin()
    for epoch, value in enumerate(values):
        watchers.on_epoch_begin(epoch)
        rates.append(model.optimizer.learning_rate)
        watchers.on_epoch_end(epoch, {monitor: value})
        if model.stop_training:
            break
    watchers.on_train_end()
    return model, rates


# --- beside Keras ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_decisions_are_kerass(case):
    for entry in case["plateau"]:
        _, rates = run(callbacks.ReduceLROnPlateau(**entry["options"]), case["values"])
        np.testing.assert_allclose(rates, entry["rates"], rtol=1e-5)  # Keras' learning rate is a float32
    for entry in case["stopping"]:
        stopper = callbacks.EarlyStopping(restore_best_weights=True, **entry["options"])
        _, rates = run(stopper, case["values"])
        assert (len(rates), stopper.stopped_epoch) == (entry["epochs"], entry["stopped"])
        assert stopper.best_epoch == entry["best"]
    for entry in case["checkpoint"]:
        model, _ = run(
            callbacks.ModelCheckpoint("{epoch:02d}.keras", save_best_only=True, **entry["options"]), case["values"]
        )
        assert model.saved == entry["saved"]


def test_the_golden_sequences_expose_something():
    entries = [entry for case in GOLDEN["cases"] for entry in case["plateau"]]
    assert len({tuple(entry["rates"]) for entry in entries}) > len(entries) // 2
    assert len({entry["epochs"] for case in GOLDEN["cases"] for entry in case["stopping"]}) > 5


def test_defaults_are_kerass():
    plateau = callbacks.ReduceLROnPlateau()
    assert (plateau.monitor, plateau.factor, plateau.patience, plateau.verbose) == ("val_loss", 0.1, 10, 0)
    assert (plateau.mode, plateau.min_delta, plateau.cooldown, plateau.min_lr) == ("auto", 1e-4, 0, 0.0)
    checkpoint = callbacks.ModelCheckpoint("x")
    assert (checkpoint.monitor, checkpoint.verbose, checkpoint.save_best_only) == ("val_loss", 0, False)
    assert (checkpoint.save_weights_only, checkpoint.mode, checkpoint.save_freq) == (False, "auto", "epoch")
    backup = callbacks.BackupAndRestore("x")
    assert (backup.save_freq, backup.double_checkpoint, backup.delete_checkpoint) == ("epoch", False, True)
    logger = callbacks.CSVLogger("x")
    assert (logger.sep, logger.append) == (",", False)


# --- learning rates ----------------------------------------------------------------------------------------------


def test_reduce_on_plateau_in_a_fit(capsys):
    model = new_model()
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9, verbose=1)
    history = model.fit(*data(), 16, 4, 0, [plateau]).history
    assert history["learning_rate"] == [0.1, 0.1, 0.05, 0.025]
    assert model.optimizer.learning_rate == 0.0125
    assert capsys.readouterr().out == "".join(
        f"Epoch {n}: reducing learning rate to {rate}\n" for n, rate in ((2, 0.05), (3, 0.025), (4, 0.0125))
    )


def test_the_reduced_learning_rate_acts_from_the_next_epoch_on():
    frozen, once = new_model(), new_model()
    once.fit(*data(), 16, 1, 0)
    plateau = callbacks.ReduceLROnPlateau("loss", factor=1e-300, patience=0, min_delta=1e9)
    stop = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: None)
    frozen.fit(*data(), 16, 2, 0, [plateau, stop])
    weights = once.get_weights()
    once.fit(*data(), 16, 2, 0, initial_epoch=1)
    assert not np.allclose(once.get_weights()[0], weights[0])
    history = frozen.history.history["learning_rate"]
    assert history[0] == 0.1
    assert history[1] == 0.1  # patience 0 reduces at the first epoch without improvement, the second
    frozen.fit(*data(), 16, 3, 0, initial_epoch=2)
    for now, then in zip(frozen.get_weights(), once.get_weights(), strict=True):
        np.testing.assert_allclose(now, then, atol=1e-6)


@pytest.mark.parametrize("schedule", [lambda epoch, rate: rate * 0.5, lambda epoch: 0.1 * 0.5 ** (epoch + 1)])
def test_learning_rate_scheduler(schedule, capsys):
    model = new_model()
    history = model.fit(*data(), 16, 3, 0, [callbacks.LearningRateScheduler(schedule, verbose=1)]).history
    assert history["learning_rate"] == [0.05, 0.025, 0.0125]
    assert capsys.readouterr().out.splitlines()[0] == "Epoch 1: setting learning rate to 0.05"


def test_schedules_and_callbacks_do_not_mix():
    model = new_model(optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 10)))
    for callback in (callbacks.ReduceLROnPlateau("loss"), callbacks.LearningRateScheduler(lambda epoch, rate: rate)):
        message = f"learning_rate with {type(callback).__name__} must be a number, not a schedule, got"
        with pytest.raises(ValueError, match=message):
            model.fit(*data(), 16, 1, 0, [callback])


def test_a_schedule_that_returns_nonsense():
    with pytest.raises(ValueError, match=r"what schedule returns must be in \[0, inf\), got None"):
        new_model().fit(*data(), 16, 1, 0, [callbacks.LearningRateScheduler(lambda epoch, rate: None)])


# --- files of models ---------------------------------------------------------------------------------------------


def test_model_checkpoint_saves_each_epoch(tmp_path, capsys):
    model = new_model()
    template = tmp_path / "deep" / "{epoch:02d}-{val_loss:.2f}.keras"
    kept = []
    keep = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append((model.fingerprint(), logs["val_loss"]))
    )
    model.fit(*data(), 16, 3, 0, [callbacks.ModelCheckpoint(template, verbose=1), keep], validation_split=0.3)
    paths = sorted((tmp_path / "deep").iterdir())
    assert [path.name for path in paths] == [f"{i + 1:02d}-{loss:.2f}.keras" for i, (_, loss) in enumerate(kept)]
    assert [flyball.load_model(path).fingerprint() for path in paths] == [fingerprint for fingerprint, _ in kept]
    assert capsys.readouterr().out.splitlines()[0] == f"Epoch 1: saving model to {paths[0]}"


def test_model_checkpoint_keeps_the_best(tmp_path, capsys):
    model = new_model(optimizers.SGD(3.0))  # large enough for the loss to go up and down
    kept = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    best = callbacks.ModelCheckpoint(tmp_path / "best", save_best_only=True, save_weights_only=True, verbose=1)
    losses = model.fit(*data(), 16, 8, 0, [best, look], validation_split=0.3).history["val_loss"]
    assert losses != sorted(losses, reverse=True)
    twin = new_model()
    twin.load_weights(tmp_path / "best")
    for now, then in zip(twin.get_weights(), kept[int(np.argmin(losses))], strict=True):
        np.testing.assert_array_equal(now, then)
    assert best.best == min(losses)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Epoch 1: val_loss improved from inf to {losses[0]:.5f}, saving model to {tmp_path / 'best'}"
    assert any("did not improve from" in line for line in said)


def test_model_checkpoint_after_steps(tmp_path):
    model = new_model()
    template = tmp_path / "{epoch}-{batch}"
    model.fit(*data(), 16, 3, 0, [callbacks.ModelCheckpoint(template, save_freq=3)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-3", "2-2", "3-1", "3-4"]
    assert flyball.load_model(tmp_path / "2-2").optimizer.iterations == 6
    assert callbacks.CallbackList([callbacks.ModelCheckpoint("x")], model).watcher("train") is None


def test_model_checkpoint_warns_where_there_is_nothing_to_go_by(tmp_path):
    best = callbacks.ModelCheckpoint(tmp_path / "m", save_best_only=True)
    with pytest.warns(UserWarning, match="monitor must be one of accuracy, loss, got 'val_loss': every model is saved"):
        new_model().fit(*data(), 16, 2, 0, [best])
    assert (tmp_path / "m").exists()


def test_nan_is_never_the_best():
    model, _ = run(callbacks.ModelCheckpoint("{epoch}", save_best_only=True), [math.nan, 2.0, math.nan, 1.0])
    assert model.saved == ["2", "4"]


def test_a_model_that_cannot_be_saved_is_not_the_best(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    best = callbacks.ModelCheckpoint(folder, "loss", save_best_only=True)
    model = new_model()
    with pytest.raises(IsADirectoryError, match="path must be a file's, got the folder"):
        model.fit(*data(), 16, 2, 0, [best])
    assert best.best == math.inf
    assert model.history.epoch == [0]  # the epoch was learnt and is recorded


def test_fields_that_are_not_there(tmp_path):
    model = new_model()
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{val_los:.2f}")
    with pytest.raises(
        ValueError, match=r"filepath must be a template of epoch, accuracy, loss, val_.*did you mean 'val_loss'"
    ):
        model.fit(*data(), 16, 1, 0, [checkpoint], validation_split=0.3)
    for template in ("{", "{}", "{0}", "{epoch.real}", "{epoch!r:{x}}}", ""):
        with pytest.raises(ValueError, match="filepath must be a path or a template of names in braces"):
            callbacks.ModelCheckpoint(template)


def test_a_checkpoint_is_where_training_goes_on(tmp_path):
    whole, part = new_model(optimizers.Adam(0.01)), new_model(optimizers.Adam(0.01))
    whole.fit(*data(), 16, 4, 0)
    part.fit(*data(), 16, 2, 0, [callbacks.ModelCheckpoint(tmp_path / "m")])
    loaded = flyball.load_model(tmp_path / "m")
    loaded.fit(*data(), 16, 4, 0, initial_epoch=2)
    assert loaded.fingerprint() == whole.fingerprint()


# --- tables ------------------------------------------------------------------------------------------------------


def rows(path, **options):
    with path.open(newline="") as file:
        return list(csv.reader(file, **options))


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    seen = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(len(rows(path, delimiter=";"))))
    model = new_model()
    logger = callbacks.CSVLogger(path, separator=";")
    history = model.fit(*data(), 16, 3, 0, [logger, look], validation_split=0.3, validation_freq=2).history
    table = rows(path, delimiter=";")
    assert table[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert seen == [2, 3, 4]  # each row is there at once
    assert [row[0] for row in table[1:]] == ["0", "1", "2"]
    assert [float(row[2]) for row in table[1:]] == history["loss"]
    assert [row[4] for row in table[1:]] == ["NA", repr(history["val_loss"][0]), "NA"]
    model.fit(*data(), 16, 1, 0, [logger])
    assert len(rows(path)) == 2


def test_csv_logger_appends(tmp_path):
    path = tmp_path / "log.csv"
    for _ in range(2):
        new_model().fit(*data(), 16, 2, 0, [callbacks.CSVLogger(path, append=True)])
    assert [row[0] for row in rows(path)] == ["epoch", "0", "1", "0", "1"]


@pytest.mark.parametrize("torn", ["", "3,0.5,0.", "3"])
def test_csv_logger_of_a_resumed_run_has_every_epoch_once(tmp_path, torn):
    path, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    new_model().fit(*data(), 16, 5, 0, [callbacks.CSVLogger(whole)])
    model = new_model()
    model.fit(*data(), 16, 2, 0, [])
    model.save(tmp_path / "m")
    table = whole.read_text().splitlines(keepends=True)
    kept = "".join(table[:4]).replace("\n", "\r\n")  # epochs 0 to 2
    path.write_bytes(kept.encode() + torn.encode())
    loaded = flyball.load_model(tmp_path / "m")
    loaded.fit(*data(), 16, 5, 0, [callbacks.CSVLogger(path, append=True)], initial_epoch=2)
    assert rows(path) == rows(whole)


@pytest.mark.parametrize("back", [0, 2])
def test_csv_logger_takes_back_what_a_step_back_undoes(tmp_path, back):
    path, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    new_model().fit(*data(), 16, 2, 0, [callbacks.CSVLogger(path)])
    whole.write_bytes(path.read_bytes())
    new_model().fit(*data(), 16, 6, 0, [callbacks.CSVLogger(whole, append=True)])
    panda, seen = callbacks.Steering(), []

    def step_back(epoch, logs):
        if epoch == 4 and not seen:
            seen.append(rows(path))
            panda.go_back(back)

    model = new_model()
    watchers = [callbacks.CSVLogger(path, append=True), panda, callbacks.LambdaCallback(on_epoch_end=step_back)]
    model.fit(*data(), 16, 6, 0, watchers)
    assert rows(path) == rows(whole)
    assert len(seen[0]) == 8  # what was there before
    stop = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 4 and (panda.go_back(back), panda.stop()))
    new_model().fit(*data(), 16, 6, 0, [callbacks.CSVLogger(path), panda, stop])
    assert [row[0] for row in rows(path)] == ["epoch", *map(str, range(back))]  # nothing after it stays
    assert panda.model.history.epoch == list(range(back))


def test_csv_logger_leaves_out_what_the_first_epoch_lacked(tmp_path):
    path = tmp_path / "log.csv"
    late = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch and logs.update(late=1.0))
    with pytest.warns(UserWarning, match="the first epoch must have all quantities .*, got late later") as warned:
        new_model().fit(*data(), 16, 3, 0, [late, callbacks.CSVLogger(path)])
    assert len(warned) == 1
    table = rows(path)
    assert "late" not in table[0]
    assert len(table) == 4


def test_csv_logger_does_not_append_to_other_files(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("name,size\na,1\n")
    with pytest.raises(ValueError, match="filename must be a log whose first column is epoch, to append to"):
        new_model().fit(*data(), 16, 1, 0, [callbacks.CSVLogger(path, append=True)])
    path.write_text("epoch,loss\n0,1\n")
    with pytest.raises(ValueError, match="filename must be a log of epoch, accuracy, loss to append to"):
        new_model().fit(*data(), 16, 1, 0, [callbacks.CSVLogger(path, append=True)])
    with pytest.raises(FileNotFoundError):
        new_model().fit(*data(), 16, 1, 0, [callbacks.CSVLogger(tmp_path / "none" / "log.csv")])


# --- arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.ReduceLROnPlateau(factor=1.0), "factor must be in (0, 1), got 1.0"),
        (lambda: callbacks.ReduceLROnPlateau(patience=-1), "patience must be a non-negative integer, got -1"),
        (lambda: callbacks.ReduceLROnPlateau(cooldown=0.5), "cooldown must be a non-negative integer, got 0.5"),
        (lambda: callbacks.ReduceLROnPlateau(min_lr=-1), "min_lr must be in [0, inf), got -1"),
        (lambda: callbacks.ReduceLROnPlateau(mode="down"), "mode must be one of auto, min, max, got 'down'"),
        (lambda: callbacks.LearningRateScheduler(0.1), "schedule must be callable, got 0.1"),
        (lambda: callbacks.LearningRateScheduler(min, 2), "verbose must be 0 or 1, got 2"),
        (lambda: callbacks.ModelCheckpoint("m", save_best_only=1), "save_best_only must be True or False, got 1"),
        (lambda: callbacks.ModelCheckpoint("m", save_freq="never"), "save_freq must be 'epoch' or a positive integer"),
        (lambda: callbacks.ModelCheckpoint("m", save_freq=0), "save_freq must be a positive integer, got 0"),
        (
            lambda: callbacks.ModelCheckpoint("m", initial_value_threshold="low"),
            "initial_value_threshold must be a finite number, got 'low'",
        ),
        (lambda: callbacks.CSVLogger("m", separator=";;"), "separator must be one character"),
        (lambda: callbacks.CSVLogger("m", separator="\n"), "separator must be one character"),
        (lambda: callbacks.CSVLogger("m", append=1), "append must be True or False, got 1"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
