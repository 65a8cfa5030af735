"""Runs that go on, from a file or within a process, come to the bits of a run that never stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from side_by_side import side_by_side

import flyball
from flyball import callbacks, layers, optimizers
from flyball.saving import checkpoint


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] ** 2 > 1).astype(int)


def new_model(optimizer=None, dtype="float32", seed=1):
    flyball.utils.set_random_seed(seed)
    model = flyball.Sequential(
        [
            flyball.Input((6,)),
            layers.Dense(8, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Dense(2, "softmax"),
        ],
        dtype=dtype,
    )
    model.compile(optimizer or optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, epochs, initial_epoch=0, **options):
    return model.fit(*data(), 16, epochs=epochs, initial_epoch=initial_epoch, verbose=0, **options)


OPTIMIZERS = {
    "SGD": lambda: optimizers.SGD(0.05),
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "Adam": lambda: optimizers.Adam(0.01, amsgrad=True),
    "AdamW": lambda: optimizers.AdamW(0.01, global_clipnorm=0.5),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "Adamax": lambda: optimizers.Adamax(0.01),
    "RMSprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Adagrad": lambda: optimizers.Adagrad(0.1),
    "Adadelta": lambda: optimizers.Adadelta(1.0),
    "Lion": lambda: optimizers.Lion(0.001),
    "ema": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "schedule": lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 30), momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loaded_model_goes_on_where_it_was_saved(tmp_path, name, each_backend):
    whole = new_model(OPTIMIZERS[name]())
    fit(whole, 5)
    part = new_model(OPTIMIZERS[name]())
    fit(part, 2)
    part.save(tmp_path / "m")
    loaded = flyball.load_model(tmp_path / "m")
    assert loaded.fingerprint() == part.fingerprint()
    history = fit(loaded, 5, initial_epoch=2)
    assert loaded.fingerprint() == whole.fingerprint()
    assert history.epoch == [2, 3, 4]
    assert history.history["loss"] == whole.history.history["loss"][2:]
    fit(part, 5, initial_epoch=2)
    assert part.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("threads", [1, 3])
def test_in_a_new_process(tmp_path, threads):
    script = """
        import sys
        sys.path.insert(0, {tests!r})
        import flyball, test_resume
        flyball.set_num_threads({threads})
        model = flyball.load_model({path!r})
        test_resume.fit(model, 10, initial_epoch=4)
        print(model.fingerprint())
    """
    path = str(tmp_path / "m")
    part = new_model(dtype="float64")
    fit(part, 4)
    part.save(path)
    script = textwrap.dedent(script).format(tests=str(Path(__file__).parent), threads=threads, path=path)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    whole = new_model(dtype="float64")
    fit(whole, 10)
    assert ran.stdout.strip() == whole.fingerprint()


def test_without_the_optimizer_training_begins_anew(tmp_path):
    model = new_model()
    fit(model, 2)
    model.save(tmp_path / "m", include_optimizer=False)
    loaded = flyball.load_model(tmp_path / "m")
    assert (loaded.optimizer.iterations, loaded._epochs, loaded._memory.slots) == (0, 0, {})
    np.testing.assert_array_equal(loaded.predict(data()[0]), model.predict(data()[0]))
    assert loaded.optimizer.get_config() == model.optimizer.get_config()


def test_an_average_of_weights_is_left_for_the_training_that_goes_on_unless_weights_were_set():
    model = new_model(OPTIMIZERS["ema"]())
    fit(model, 2)
    averaged = model.get_weights()
    model.set_weights([weight * 0 for weight in averaged])
    fit(model, 3, initial_epoch=2)
    other = new_model(OPTIMIZERS["ema"]())
    fit(other, 2)
    fit(other, 3, initial_epoch=2)
    assert not np.allclose(other.get_weights()[0], model.get_weights()[0])


# --- BackupAndRestore --------------------------------------------------------------------------------------------


def stop_at(step, error=KeyboardInterrupt):
    """A callback that raises after so many steps."""
    seen = []

    def count(batch, logs):
        seen.append(batch)
        if len(seen) == step:
            raise error

    return callbacks.LambdaCallback(on_train_batch_end=count)


def watchers(folder, save_freq="epoch", **options):
    """Callbacks that decide by what was before."""
    return [
        callbacks.BackupAndRestore(folder, save_freq, **options),
        callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.8, min_delta=0.01),
        callbacks.EarlyStopping("val_loss", patience=20, restore_best_weights=True),
    ]


def whole_run(tmp_path, epochs=8, make=new_model):
    model = make()
    history = fit(model, epochs, callbacks=watchers(tmp_path / "whole"), validation_split=0.2)
    return model.fingerprint(), history


@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("step", [1, 3, 4, 13, 24])
def test_a_run_that_was_broken_off_ends_as_if_it_had_not_been(tmp_path, step, save_freq, each_backend):
    fingerprint, history = whole_run(tmp_path)
    backup = tmp_path / "backup"
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), 8, callbacks=[*watchers(backup, save_freq), stop_at(step)], validation_split=0.2)
    assert (backup / "latest.safetensors").exists()
    other = new_model(seed=7)
    resumed = fit(other, 8, callbacks=watchers(backup, save_freq), validation_split=0.2)
    assert other.fingerprint() == fingerprint
    assert (resumed.epoch, resumed.history) == (history.epoch, history.history)
    assert not backup.exists()


@pytest.mark.parametrize("step", [1, 2, 4, 6])
def test_metrics_that_need_all_outputs_of_an_epoch(tmp_path, step):
    def make(seed=1):
        model = new_model(seed=seed)
        metric = flyball.metrics.SparseTopKCategoricalAccuracy(1)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=[metric])
        return model

    whole, resumed = make(), make(3)
    fit(whole, 3)
    with pytest.raises(KeyboardInterrupt):
        fit(make(), 3, callbacks=[callbacks.BackupAndRestore(tmp_path), stop_at(step)])
    fit(resumed, 3, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert resumed.fingerprint() == whole.fingerprint()
    assert resumed.history.history == whole.history.history


def test_nothing_learnt_is_lost_at_ctrl_c(tmp_path):
    model = new_model()
    with pytest.raises(KeyboardInterrupt):
        fit(model, 3, callbacks=[callbacks.BackupAndRestore(tmp_path), stop_at(6)])
    interrupted = model.get_weights()
    seen = []
    look = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append((epoch, other.get_weights())))
    other = new_model(seed=9)
    fit(other, 3, callbacks=[callbacks.BackupAndRestore(tmp_path), look])
    assert seen[0][0] == 1
    for now, then in zip(seen[0][1], interrupted, strict=True):
        np.testing.assert_array_equal(now, then)


def test_every_stop_in_a_chain_of_stops(tmp_path):
    fingerprint, _ = whole_run(tmp_path, epochs=4)
    for _ in range(100):
        model = new_model(seed=5)
        if not (tmp_path / "b").exists():
            model = new_model()
        try:
            fit(model, 4, callbacks=[*watchers(tmp_path / "b", 1), stop_at(1)], validation_split=0.2)
        except KeyboardInterrupt:
            continue
        break
    assert model.fingerprint() == fingerprint


def test_an_error_while_validating(tmp_path, monkeypatch):
    fingerprint, history = whole_run(tmp_path)
    model, calls = new_model(), []
    evaluate = flyball.training.Evaluator.run

    def run(self, watcher):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(self, watcher)

    monkeypatch.setattr(flyball.training.Evaluator, "run", run)
    with pytest.raises(KeyboardInterrupt):
        fit(model, 8, callbacks=watchers(tmp_path / "b"), validation_split=0.2)
    resumed = new_model(seed=3)
    again = fit(resumed, 8, callbacks=watchers(tmp_path / "b"), validation_split=0.2)
    assert resumed.fingerprint() == fingerprint
    assert again.history == history.history


def test_a_run_that_was_told_to_stop_is_not_taken_up_again(tmp_path):
    def early(folder, delete):
        stop = callbacks.EarlyStopping("loss", min_delta=100, patience=2, restore_best_weights=True)
        return [callbacks.BackupAndRestore(folder, delete_checkpoint=delete), stop]

    model = new_model()
    history = fit(model, 9, callbacks=early(tmp_path / "a", False))
    assert history.epoch == [0, 1, 2]
    other = new_model(seed=4)
    again = fit(other, 9, callbacks=early(tmp_path / "a", True))
    assert other.fingerprint() == model.fingerprint()
    assert again.history == history.history
    assert not (tmp_path / "a").exists()


def test_a_backup_that_is_kept_can_be_gone_on_from(tmp_path):
    fit(new_model(), 3, callbacks=[callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)])
    longer, whole = new_model(seed=6), new_model()
    fit(longer, 5, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    fit(whole, 5)
    assert longer.fingerprint() == whole.fingerprint()


def test_files_of_others_stay(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".latest.safetensors.0123456789abcdef.tmp").write_text("torn")
    fit(new_model(), 1, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_backup_before_the_last(tmp_path):
    fingerprint, _ = whole_run(tmp_path)
    for options, recovers in (({"double_checkpoint": True}, True), ({}, False)):
        folder = tmp_path / str(recovers)
        with pytest.raises(KeyboardInterrupt):
            fit(new_model(), 8, callbacks=[*watchers(folder, **options), stop_at(13)], validation_split=0.2)
        latest = folder / "latest.safetensors"
        latest.write_bytes(latest.read_bytes()[:-9])
        model = new_model(seed=8)
        before = model.get_weights()
        if recovers:
            fit(model, 8, callbacks=watchers(folder, **options), validation_split=0.2)
            assert model.fingerprint() == fingerprint
        else:
            with pytest.raises(ValueError, match="must be an undamaged file"):
                fit(model, 8, callbacks=watchers(folder, **options), validation_split=0.2)
            assert all(map(np.array_equal, model.get_weights(), before))


def test_the_backup_of_another_run(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), 3, callbacks=[callbacks.BackupAndRestore(tmp_path), stop_at(5)])

    def refused(model, message):
        before = model.get_weights()
        with pytest.raises(ValueError, match=f"backup_dir must have the backup of this run, got .*{message}"):
            fit(model, 3, callbacks=[callbacks.BackupAndRestore(tmp_path)])
        assert all(map(np.array_equal, model.get_weights(), before))

    refused(new_model(optimizers.SGD()), "the optimizer must be Adam, as in the checkpoint, got 'SGD'")
    refused(new_model(dtype="float64"), "must be float64 of shape")
    wider = flyball.Sequential([flyball.Input((6,)), layers.Dense(2, "softmax")])
    wider.compile("adam", "sparse_categorical_crossentropy")
    refused(wider, "belong to none")
    with pytest.raises(ValueError, match="position must be one in an epoch of 1 steps"):
        new_model().fit(data()[0][:10], data()[1][:10], 16, 3, 0, [callbacks.BackupAndRestore(tmp_path)])


def test_damaged_backups(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), 3, callbacks=[*watchers(tmp_path), stop_at(5)], validation_split=0.2)
    path = tmp_path / "latest.safetensors"
    raw = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [raw[:length] for length in range(0, len(raw), 401)]
    for position in rng.integers(0, len(raw), 150):
        flipped = bytearray(raw)
        flipped[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="must be an undamaged file"):
            fit(new_model(), 3, callbacks=watchers(tmp_path), validation_split=0.2)


def place(done, steps=3, **totals):
    return {"done": done, "steps": steps, "totals": totals, "outputs": None}


def change(name, value):
    return lambda saved: (
        saved.facts[name].update(value) if isinstance(value, dict) else saved.facts.update({name: value})
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (change("run", {"epoch": -1}), "the run's epoch must be a non-negative integer, got -1"),
        (change("run", {"stop": 1}), "the run's stop must be True or False, got 1"),
        (change("run", {"position": 3}), "the run's position must be an object of done, steps, totals, outputs"),
        (change("run", {"position": place(0)}), "the run's position must be a positive integer, got 0"),
        (change("run", {"position": place(1, steps=0)}), "the run's steps must be a positive integer, got 0"),
        (change("run", {"position": place(1, a="b")}), "the run's totals must be numbers by name"),
        (change("run", {"position": place(1, steps=9)}), "position must be one in an epoch of 3 steps, got"),
        (change("training", {"seed": -1}), "the training's seed must be a non-negative integer, got -1"),
        (change("training", {"slots": ["m", "evil"]}), "the training's slots must be some of m, v"),
        (change("optimizer", {"class_name": "Popen"}), "class_name of an optimizer must be one of"),
        (change("weights", ["dense/kernel", 3]), "the names of the weights must be those of its tensors"),
        (change("regularizers", [{"kernel_regularizer": "os.system"}]), "kernel_regularizer must be a regularizer or"),
        (change("more", [1]), "the facts must be an object of"),
        (lambda saved: saved.callbacks.append((1, {})), "the callbacks must be pairs of a name and a state"),
    ],
)
def test_hostile_backups(tmp_path, make, message):
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), 3, callbacks=[*watchers(tmp_path), stop_at(5)], validation_split=0.2)
    path = tmp_path / "latest.safetensors"
    saved = checkpoint.load(path)
    make(saved)
    checkpoint.save(saved, path)
    with pytest.raises(ValueError, match=message):
        fit(new_model(), 3, callbacks=watchers(tmp_path), validation_split=0.2)


def test_the_state_of_a_callback_that_does_not_know_it(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(new_model(), 3, callbacks=[*watchers(tmp_path), stop_at(5)], validation_split=0.2)
    path = tmp_path / "latest.safetensors"
    saved = checkpoint.load(path)
    saved.callbacks[1][1].clear()
    checkpoint.save(saved, path)
    with pytest.raises(ValueError, match="the state of ReduceLROnPlateau must be what its get_state returned"):
        fit(new_model(), 3, callbacks=watchers(tmp_path), validation_split=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backup_dir": ""}, "backup_dir must be the path of a folder, got ''"),
        ({"save_freq": 0}, "save_freq must be a positive integer, got 0"),
        ({"save_freq": "batch"}, "save_freq must be 'epoch' or a positive integer, got 'batch'"),
        ({"double_checkpoint": 1}, "double_checkpoint must be True or False, got 1"),
        ({"delete_checkpoint": 1}, "delete_checkpoint must be True or False, got 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.BackupAndRestore(**{"backup_dir": "x", **arguments})


@pytest.fixture(scope="module")
def killed_runs(request, tmp_path_factory):
    """Return what killed_runs.py prints, by how often it saves."""
    script = Path(__file__).with_name("killed_runs.py")
    environment = {**os.environ, "FLYBALL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}

    def run(save_freq):
        command = [sys.executable, str(script), str(tmp_path_factory.mktemp(save_freq)), "25", save_freq]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    with side_by_side(request, "killed_runs", ("save_freq",), run) as runs:
        yield runs


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its runs")
@pytest.mark.parametrize("save_freq", ["epoch", "3"])
def test_fifty_kills(save_freq, killed_runs):
    whole, *resumed = killed_runs[save_freq,].result().splitlines()
    assert whole.endswith(" True")
    assert resumed == [f"{whole} 0"] * 25


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_kill_and_a_new_process(tmp_path):
    script = """
        import sys
        sys.path.insert(0, {tests!r})
        from pathlib import Path
        import killed_runs
        killed_runs.train(Path({folder!r}), "epoch", Path({out!r}))
    """
    out, folder = tmp_path / "out", tmp_path / "backup"

    def command(folder):
        values = {"tests": str(Path(__file__).parent), "folder": str(folder), "out": str(out)}
        return [sys.executable, "-c", textwrap.dedent(script).format(**values)]

    subprocess.run(command(tmp_path / "whole"), check=True)
    whole = out.read_text()
    out.unlink()
    with subprocess.Popen(command(folder)) as process:
        deadline = time.monotonic() + 60
        while not (folder / "latest.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    subprocess.run(command(folder), check=True)
    assert out.read_text() == whole
