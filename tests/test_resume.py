"""Runs that go on, from a file or within a process, come to the bits of a run that never stopped."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import flyball
from flyball import layers, optimizers


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
    script = textwrap.dedent(script).format(tests=str(__file__.rpartition("/")[0]), threads=threads, path=path)
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
