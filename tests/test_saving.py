"""Saving and loading: round trips, crash safety, and files that are damaged or hostile."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import flyball
from flyball import layers, saving


def new_model(dtype="float32", *, compiled=True):
    flyball.utils.set_random_seed(1)
    model = flyball.Sequential(
        [
            flyball.Input((5,)),
            layers.Dense(4, kernel_regularizer="l2", kernel_initializer="he_normal"),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Dense(3, "softmax"),
        ],
        dtype=dtype,
    )
    if compiled:
        optimizer = flyball.optimizers.Adam(0.02, weight_decay=0.1)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 5)), rng.integers(0, 3, 40)


@pytest.fixture
def saved(tmp_path):
    """A file, and what is in it."""
    path = tmp_path / "model.safetensors"
    new_model().save(path)
    return path


def header(path):
    """The file's header entries and the configuration in them."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + size])["__metadata__"]
    return entries, json.loads(entries["config"])


def rewrite(path, change=None, *, tensors=None, entries=None, config=None):
    """Write the file again with its configuration changed."""
    old_entries, old_config = header(path)
    if change is not None:
        change(old_config)
    text = json.dumps(old_config) if config is None else config
    save_file(tensors or load_file(path), path, {**old_entries, "config": text, **(entries or {})})


# --- what should work --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip_of_a_trained_model(tmp_path, dtype):
    x, y = data()
    model = new_model(dtype)
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "m")
    twin = flyball.load_model(tmp_path / "m")
    assert twin.get_config() == model.get_config()
    assert twin.dtype == np.dtype(dtype)
    for ours, theirs in zip(twin.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    assert twin.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert twin.optimizer.get_config() == model.optimizer.get_config()
    assert twin.metrics_names == ["loss", "accuracy"]
    twin.fit(x, y, epochs=1, verbose=0)


def test_round_trip_of_a_model_that_is_not_compiled(tmp_path):
    new_model(compiled=False).save(tmp_path / "m")
    twin = flyball.load_model(str(tmp_path / "m"))
    assert twin.optimizer is None
    assert twin.predict(np.zeros((2, 5))).shape == (2, 3)


def test_a_model_without_an_input_layer(tmp_path):
    model = flyball.Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(1)])
    saving.save_model(model, tmp_path / "m")
    np.testing.assert_array_equal(saving.load_model(tmp_path / "m").get_weights()[0], model.get_weights()[0])
    built_late = flyball.Sequential([layers.Dense(2)])
    built_late.build((None, 3))
    built_late.save(tmp_path / "m")
    assert flyball.load_model(tmp_path / "m").output_shape == (None, 2)


def test_metadata(tmp_path):
    saving.save_model(new_model(), tmp_path / "m", metadata={"note": "größer", "json": '{"a": NaN}'})
    assert saving.load_metadata(tmp_path / "m") == {"note": "größer", "json": '{"a": NaN}'}
    new_model().save(tmp_path / "m")
    assert saving.load_metadata(tmp_path / "m") == {}


def test_anyone_can_read_the_weights(tmp_path):
    model = new_model()
    model.save(tmp_path / "m")
    tensors = load_file(tmp_path / "m")
    assert set(tensors) == {weight.name for weight in model.weights}
    for weight in model.weights:
        np.testing.assert_array_equal(tensors[weight.name], weight.value)


# --- crash safety ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(saved, monkeypatch, broken):
    before = saved.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="No space left"):
        new_model("float64").save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_file_is_on_the_disk_before_it_gets_its_name(saved, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("replace"), replace(*paths)))
    new_model().save(saved)
    assert order[:2] == ["fsync", "replace"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_permissions_are_those_of_any_new_file(saved):
    other = saved.with_name("other")
    other.touch()
    assert saved.stat().st_mode == other.stat().st_mode


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="missing"):
        new_model().save(tmp_path / "missing" / "m")
    with pytest.raises(ValueError, match="model must be built before it is saved or loaded"):
        saving.save_model(flyball.Sequential([layers.Dense(2)]), tmp_path / "m")
    with pytest.raises(ValueError, match=r"metadata must be strings by name, got \{'a': 1\}"):
        saving.save_model(new_model(), tmp_path / "m", metadata={"a": 1})
    with pytest.raises(ValueError, match="metadata must be without the names format, schema, config, got 'config'"):
        saving.save_model(new_model(), tmp_path / "m", metadata={"config": "{}"})
    function = layers.Dense(2, kernel_initializer=lambda shape, dtype: np.full(shape, 2.0, dtype), input_shape=(2,))
    with pytest.raises(ValueError, match="a function must have a name to be saved or copied, got a lambda"):
        flyball.Sequential([function]).save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


# --- files that are no models ------------------------------------------------------------------------------------


def refused(path, reason=""):
    message = f"{os.fspath(path)!r} must be an undamaged file that flyball's save_model wrote: "
    with pytest.raises(ValueError, match=re.escape(message) + ".*" + re.escape(reason)):
        flyball.load_model(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        flyball.load_model(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        saving.load_metadata(tmp_path / "none")


@pytest.mark.parametrize(
    "content", [b"", b"\x08", b"hello, world", b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}", b"PK\x03\x04" * 9]
)
def test_other_files(tmp_path, content):
    path = tmp_path / "m"
    path.write_bytes(content)
    refused(path)
    with pytest.raises(ValueError, match="must be an undamaged file"):
        saving.load_metadata(path)


def test_a_pickle_is_not_run(tmp_path):
    import pickle

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "m").write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / "m")
    assert not (tmp_path / "sprung").exists()


def test_safetensors_of_someone_else(tmp_path):
    save_file({"w": np.zeros(3)}, tmp_path / "m")
    refused(tmp_path / "m", "its header has nothing of flyball's")


def test_every_truncation_is_refused(saved):
    raw = saved.read_bytes()
    for length in {*range(0, len(raw), 97), 7, 8, 9, len(raw) - 1}:
        saved.write_bytes(raw[:length])
        refused(saved)


def test_flipped_bytes_never_do_anything_else_than_load_or_be_refused(saved):
    raw = bytearray(saved.read_bytes())
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(raw), 150):
        damaged = bytearray(raw)
        damaged[position] ^= 1 << int(rng.integers(8))
        saved.write_bytes(damaged)
        try:
            flyball.load_model(saved)
        except ValueError as error:
            assert str(saved) in str(error)  # noqa: PT017  # either outcome is right


def set_layer(index, name, value):
    def change(config):
        config["model"]["layers"][index]["config"][name] = value

    return change


def set_model(name, value):
    return lambda config: config["model"].__setitem__(name, value)


def set_compile(name, value):
    return lambda config: config["compile"].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_layer(1, "units", 10**15), "tensor 'dense/kernel' must be float32 of shape (5, 1000000000000000)"),
        (set_layer(1, "units", 10**400), "must be float32 of shape"),
        (set_layer(1, "units", 5), "must be float32 of shape (5, 5), got float32 of (5, 4)"),
        (set_layer(1, "units", -4), "units must be a positive integer, got -4"),
        (set_layer(1, "units", 4.0), "units must be a positive integer, got 4.0"),
        (set_layer(1, "units", [4]), "units must be a positive integer, got [4]"),
        (set_layer(1, "use_bias", False), "['dense/bias'] belong to none"),
        (set_layer(1, "activation", "eval"), "mish, softmax, log_softmax, got 'eval'"),
        (set_layer(1, "name", ["dense"]), "name must be a non-empty string"),
        (set_layer(1, "name", "other"), "are missing"),
        (set_layer(1, "code", "x"), "unexpected keyword argument 'code'"),
        (set_layer(1, "kernel_initializer", "os.system"), "kernel_initializer must be an initializer or one of"),
        (
            set_layer(1, "kernel_initializer", {"class_name": "_Function", "config": {"function": "print"}}),
            "'print' must be a function that this program knows",
        ),
        (set_layer(1, "kernel_regularizer", {"class_name": "L2"}), "the configuration of a regularizer must be a dict"),
        (set_layer(2, "momentum", "0.8"), "momentum must be in [0, 1], got '0.8'"),
        (set_layer(2, "momentum", float("nan")), "a number in the configuration must be finite, got 'NaN'"),
        (set_layer(4, "rate", float("inf")), "a number in the configuration must be finite, got 'Infinity'"),
        (set_layer(4, "rate", 1.0), "rate must be in [0, 1), got 1.0"),
        (set_model("dtype", "object"), "the model's dtype must be one of float32, float64, got 'object'"),
        (set_model("dtype", "float64"), "must be float64 of shape (5, 4), got float32 of (5, 4)"),
        (set_model("input_shape", [6]), "input_shape must be"),
        (set_model("input_shape", None), "the model's input_shape must be a tuple of positive integers"),
        (set_model("layers", []), "belong to none"),
        (set_model("layers", {"a": 1}), "the model's layers must be a list"),
        (
            set_model("layers", [{"class_name": "Popen", "config": {"args": "ls"}}]),
            "class_name of a layer must be one of",
        ),
        (set_model("name", 3), "the model's name must be a non-empty string, got 3"),
        (set_model("extra", 3), "the model must be an object of name, dtype, input_shape, layers"),
        (lambda config: config.pop("model"), "the configuration must be an object of model, compile, training"),
        (set_compile("loss", "mse"), "the configuration of a loss must be a dict"),
        (set_compile("metrics", "accuracy"), "the compilation's metrics must be a list, got 'accuracy'"),
        (set_compile("metrics", ["mse"]), "the configuration of a metric must be a dict of 'class_name' and 'config'"),
        (set_compile("weighted_metrics", [{"class_name": "Loss", "config": {}}]), "class_name of a metric must be"),
        (set_compile("optimizer", {"class_name": "Adam", "config": {"learning_rate": -1}}), "learning_rate must be in"),
        (set_compile("optimizer", {"class_name": "Adam", "config": {"lr": 1}}), "'lr'"),
    ],
)
def test_hostile_configurations(tmp_path, change, reason):
    flyball.utils.clear_session()
    path = tmp_path / "m"
    new_model().save(path)
    rewrite(path, change)
    refused(path, reason)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("", "Expecting value"),
        ("[1, 2]", "the configuration must be a JSON object, got [1, 2]"),
        ('{"model": 1e999, "compile": null}', "a number in the configuration must be finite, got '1e999'"),
        ('{"model": {}, "model": {}}', "names in the configuration must be unique"),
        ("[" * 100_000, "RecursionError"),
        ('{"model": ' + "9" * 10_000 + "}", "limit"),
        ('{"model": null, "compile": null, "training": null}', "the model must be an object of"),
    ],
)
def test_hostile_json(saved, config, reason):
    rewrite(saved, config=config)
    refused(saved, reason)


def test_other_schema(saved):
    rewrite(saved, entries={"schema": "3"})
    refused(saved, "its schema must be '1' or '2', got '3'; a newer flyball may read it")


def test_tensors_that_do_not_fit(saved):
    tensors = load_file(saved)
    name = next(iter(tensors))
    for wrong, reason in [
        ({key: value for key, value in tensors.items() if key != name}, f"[{name!r}] are missing"),
        ({**tensors, "more": np.zeros(1, np.float32)}, "['more'] belong to none"),
        ({**tensors, name: tensors[name].astype(np.float16)}, f"tensor {name!r} must be F32 or F64, got F16"),
        ({**tensors, name: tensors[name].astype(np.float64)}, "got float64 of"),
        ({**tensors, name: tensors[name][..., None]}, f"tensor {name!r} must be float32 of shape"),
    ]:
        rewrite(saved, tensors=wrong)
        refused(saved, reason)
        rewrite(saved, tensors=tensors)
    flyball.load_model(saved)


# --- the state of a training ------------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path):
    """A file of a model that was trained."""
    flyball.utils.clear_session()
    model = new_model()
    model.fit(*data(), epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "trained")
    return tmp_path / "trained"


def set_training(name, value):
    return lambda config: config["training"].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_training("iterations", -1), "the training's iterations must be a non-negative integer, got -1"),
        (set_training("epochs", 1.5), "the training's epochs must be a non-negative integer, got 1.5"),
        (set_training("seed", "1"), "the training's seed must be a non-negative integer, got '1'"),
        (set_training("seed", 2**63), "the training's seed must be below 2**63"),
        (set_training("slots", ["m", "v", "u"]), "the training's slots must be some of m, v, each once"),
        (set_training("slots", ["m", "m"]), "the training's slots must be some of m, v, each once"),
        (set_training("slots", "mv"), "the training's slots must be some of m, v, each once, got 'mv'"),
        (set_training("slots", [["m"], "v"]), "unhashable"),
        (set_training("slots", ["m"]), "belong to none"),
        (set_training("more", 1), "the training must be an object of iterations, epochs, seed, slots"),
        (lambda config: config.__setitem__("training", 3), "the training must be an object of"),
        (lambda config: config.__setitem__("training", None), "belong to none"),
        (lambda config: config.__setitem__("compile", None), "the training's slots must be empty, each once"),
    ],
)
def test_hostile_states(trained, change, reason):
    rewrite(trained, change)
    refused(trained, reason)


def test_a_state_whose_arrays_do_not_fit(trained):
    tensors = load_file(trained)
    name = "optimizer/m/dense/kernel"
    for wrong, reason in [
        ({key: value for key, value in tensors.items() if key != name}, f"[{name!r}] are missing"),
        ({**tensors, name: tensors[name][:2]}, f"tensor {name!r} must be float32 of shape (5, 4)"),
        ({**tensors, name: tensors[name].astype(np.float64)}, "got float64 of"),
    ]:
        rewrite(trained, tensors=wrong)
        refused(trained, reason)


def test_files_of_schema_1_still_load(saved):
    tensors, (entries, config) = load_file(saved), header(saved)
    del config["training"]
    save_file(tensors, saved, {**entries, "schema": "1", "config": json.dumps(config)})
    model = flyball.load_model(saved)
    assert model.optimizer.iterations == 0
    for weight, value in zip(model.weights, new_model().get_weights(), strict=True):
        np.testing.assert_array_equal(weight.value, value)


def test_every_truncation_of_a_state_is_refused(trained):
    raw = trained.read_bytes()
    for length in range(0, len(raw), 211):
        trained.write_bytes(raw[:length])
        refused(trained)


def test_overwriting_can_be_refused(saved):
    before = saved.read_bytes()
    for save in (new_model().save, new_model().save_weights):
        with pytest.raises(FileExistsError, match="path must not exist where overwrite is False"):
            save(saved, overwrite=False)
    assert saved.read_bytes() == before
    new_model().save(saved.with_name("new"), overwrite=False)


def test_folders_are_no_files(tmp_path):
    for save in (new_model().save, new_model().save_weights):
        with pytest.raises(IsADirectoryError, match="path must be a file's, got the folder"):
            save(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- weights alone -----------------------------------------------------------------------------------------------


def equal_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.fixture
def filled():
    """A model with weights of its own."""
    flyball.utils.clear_session()
    model = new_model()
    model.set_weights([np.full(weight.shape, i + 1.0) for i, weight in enumerate(model.weights)])
    return model


def test_weights_alone(tmp_path, filled):
    filled.save_weights(tmp_path / "w")
    assert set(load_file(tmp_path / "w")) == {weight.name for weight in filled.weights}
    twin = new_model("float64", compiled=False)  # the layers' automatic numbers have gone on; the dtype is another
    assert [w.name for w in twin.weights] != [w.name for w in filled.weights]
    twin.load_weights(tmp_path / "w")
    assert equal_weights(twin, filled)
    with pytest.raises(ValueError, match="flyball's save_model wrote"):
        flyball.load_model(tmp_path / "w")


def test_weights_of_a_whole_model(trained):
    twin = new_model(compiled=False)
    twin.load_weights(trained)
    assert equal_weights(twin, flyball.load_model(trained))


def test_weights_that_do_not_fit_change_nothing(tmp_path, filled):
    path = tmp_path / "w"
    filled.save_weights(path)
    before = filled.get_weights()

    def other(*stack):
        model = flyball.Sequential([flyball.Input((5,)), *stack])
        return model, model.get_weights()

    flyball.utils.clear_session()
    fewer, kept = other(layers.Dense(4))
    message = "the weights in .* must be the model's, but .* are missing and .* belong to none"
    with pytest.raises(ValueError, match=message):
        fewer.load_weights(path)
    np.testing.assert_array_equal(fewer.get_weights()[0], kept[0])
    renamed, _ = other(layers.Dense(4, name="mine"), layers.BatchNormalization(), layers.Dense(3))
    with pytest.raises(ValueError, match="mine/kernel"):
        renamed.load_weights(path)
    flyball.utils.clear_session()
    wider, kept = other(layers.Dense(4), layers.BatchNormalization(), layers.Dense(7))
    with pytest.raises(ValueError, match=r"weight 'dense_1/kernel' in .* must have shape \(4, 7\), got \(4, 3\)"):
        wider.load_weights(path)
    np.testing.assert_array_equal(wider.get_weights()[0], kept[0])
    wider.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(wider.get_weights()[0], before[0])
    np.testing.assert_array_equal(wider.get_weights()[-1], kept[-1])
    with pytest.raises(ValueError, match="skip_mismatch must be True or False, got 1"):
        wider.load_weights(path, skip_mismatch=1)


def test_weights_from_other_files(tmp_path, filled):
    path = tmp_path / "w"
    with pytest.raises(FileNotFoundError):
        filled.load_weights(path)
    filled.save_weights(path)
    raw = path.read_bytes()
    for length in range(0, len(raw), 53):
        path.write_bytes(raw[:length])
        with pytest.raises(ValueError, match="must be an undamaged file that flyball's save_weights wrote"):
            filled.load_weights(path)
    for config in ('{"weights": ["dense/kernel"]}', '{"weights": 3}', '{"weights": [[1]]}', "{}", "[]"):
        save_file({"a": np.zeros(2)}, path, {"format": "flyball", "schema": "2", "config": config})
        with pytest.raises(ValueError, match="must be an undamaged file"):
            filled.load_weights(path)
    with pytest.raises(ValueError, match="model must be built before it is saved or loaded"):
        flyball.Sequential([layers.Dense(2)]).load_weights(path)
    with pytest.raises(ValueError, match="model must be built before it is saved or loaded"):
        flyball.Sequential([layers.Dense(2)]).save_weights(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(PermissionError):
        new_model().save(folder / "m")
    folder.chmod(0o700)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody may write to")
def test_a_folder_that_nobody_may_write_to():
    with pytest.raises(OSError, match="/proc"):
        new_model().save("/proc/m")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(saved, monkeypatch):
    before = saved.read_bytes()
    real = Path.open

    def to_full_device(self, mode="r", *arguments, **options):
        if "x" in mode:
            real(self, mode).close()
            return real(Path("/dev/full"), "wb", buffering=0)
        return real(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", to_full_device)
    for save in (new_model().save, new_model().save_weights):
        with pytest.raises(OSError, match="No space left"):
            save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
