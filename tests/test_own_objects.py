"""Layers, metrics, losses, schedules and functions of a user's own in copies, pickles, files and checkpoints."""

import contextlib
import copy
import json
import pickle

import numpy as np
import pytest

import flyball
from flyball import callbacks, initializers, inspect, layers, losses, metrics, models, optimizers, regularizers, saving
from flyball.metrics.base import MeanOfSamples

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60)


class Scaled(layers.Dense):
    """A layer with an argument of its own."""

    def __init__(self, units, factor=2.0, **options):
        super().__init__(units, activation="relu", **options)
        self.factor = factor
        self.kernel_initializer = initializers.RandomNormal(stddev=0.1 * factor)

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in ("name", "units", "factor", "trainable")}


class Wrong(MeanOfSamples):
    """Share of samples whose most likely class is another than the target."""

    def values(self, y_true, y_pred):
        return y_pred.argmax(axis=1) != y_true.reshape(-1)


class Smoothed(losses.SparseCategoricalCrossentropy):
    def __init__(self, name="smoothed"):
        super().__init__(label_smoothing=0.1, name=name)


class Saw(optimizers.schedules.LearningRateSchedule):
    def __init__(self, top):
        self.top = top

    def evaluate(self, steps):
        return self.top * (1.0 - (np.asarray(steps) % 5) / 10.0)


class Strong(regularizers.L2):
    def __init__(self, l2=0.3):
        super().__init__(l2)


def spread(y_true, y_pred):
    return y_pred.std(axis=1)


def tenth(shape, dtype=None):
    return np.full(shape, 0.1, dtype)


OWN = {item.__name__: item for item in (Scaled, Wrong, Smoothed, Saw, Strong, spread, tenth)}


@pytest.fixture
def model():
    return network()


def network():
    flyball.utils.set_random_seed(3)
    flyball.utils.clear_session()
    stack = [
        layers.Input((5,)),
        Scaled(6, factor=3.0),
        layers.Residual([Scaled(6, name="inside")]),
        layers.Dense(3, "softmax", kernel_initializer=tenth, kernel_regularizer=Strong()),
    ]
    model = flyball.Sequential(stack)
    model.compile(optimizers.SGD(Saw(0.05)), Smoothed(), metrics=["accuracy", Wrong(), spread])
    return model


@pytest.fixture
def registered():
    """Keep what is registered in a test out of the others."""
    names, objects = dict(flyball._own_objects._names), dict(flyball._own_objects._registered)
    yield
    for kept, now in ((names, flyball._own_objects._names), (objects, flyball._own_objects._registered)):
        now.clear()
        now.update(kept)


def require_same(other, model):
    assert other.fingerprint() == model.fingerprint()
    assert [type(layer) for layer in other.layers] == [type(layer) for layer in model.layers]
    assert other.layers[0].factor == 3.0
    assert other.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)
    other.fit(X, Y, initial_epoch=2, epochs=3, verbose=0)
    expected = copy.deepcopy(model)
    expected.fit(X, Y, initial_epoch=2, epochs=3, verbose=0)
    assert other.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize(
    "way", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "deepcopy", "pickle"]
)
def test_copies_have_ones_own_parts(model, way):
    model.fit(X, Y, epochs=2, verbose=0)
    require_same(way(model), model)


def test_files_name_ones_own_parts_and_the_program_gives_them(model, tmp_path):
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m")
    require_same(flyball.load_model(tmp_path / "m", custom_objects=OWN), model)
    with saving.custom_object_scope({"Scaled": Scaled}), flyball.utils.custom_object_scope(OWN):
        require_same(flyball.load_model(tmp_path / "m"), model)
    with pytest.raises(ValueError, match=r"got 'Saw'.* give it in custom_objects, or register it"):
        flyball.load_model(tmp_path / "m")
    with pytest.raises(ValueError, match=r"class_name of a layer must be one of .* got 'Scaled'"):
        flyball.load_model(tmp_path / "m", {name: item for name, item in OWN.items() if name != "Scaled"})
    with pytest.raises(ValueError, match=r"'spread' must be a function that this program knows"):
        flyball.load_model(tmp_path / "m", {name: item for name, item in OWN.items() if name != "spread"})


def test_what_is_registered_is_known(model, tmp_path, registered):
    for item in OWN.values():
        assert saving.register_keras_serializable("mine")(item) is item
    assert saving.get_registered_name(Scaled) == "mine>Scaled"
    assert saving.get_registered_object("mine>Scaled") is Scaled
    assert saving.get_custom_objects()["mine>spread"] is spread
    assert model.get_config()["layers"][1]["class_name"] == "mine>Scaled"
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m")
    require_same(flyball.load_model(tmp_path / "m"), model)
    assert isinstance(models.model_from_json(model.to_json()).layers[0], Scaled)


def test_a_class_with_a_name_of_flyballs_must_be_registered(registered, tmp_path):
    @flyball.utils.register_keras_serializable("mine", name="Thick")
    class Dense(layers.Dense):
        pass

    model = flyball.Sequential([Dense(2, input_shape=(3,))])
    model.save(tmp_path / "m")
    assert type(flyball.load_model(tmp_path / "m").layers[0]) is Dense
    flyball._own_objects._names.clear()
    with pytest.raises(ValueError, match=r"must have another name than flyball's, .* got 'Dense'"):
        model.save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_two_of_one_name_are_refused(tmp_path):
    def other():
        def spread(y_true, y_pred):
            return y_pred.max(axis=1)

        return spread

    model = flyball.Sequential([layers.Dense(3, "softmax", input_shape=(5,))])
    both = [spread, metrics.MeanMetricWrapper(other(), "largest")]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=both)
    with pytest.raises(ValueError, match=r"must have different names, .* got two that are called 'spread'"):
        copy.deepcopy(model)
    with pytest.raises(ValueError, match=r"must have different names, .* got two that are called 'spread'"):
        model.save(tmp_path / "m")


def test_without_compiling_only_layers_are_needed(model, tmp_path):
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(tmp_path / "m")
    needed = {name: OWN[name] for name in ("Scaled", "tenth", "Strong")}
    loaded = flyball.load_model(tmp_path / "m", needed, compile=False)
    assert loaded.optimizer is None
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_weights_are_loaded_from_a_file_that_names_the_models_own_layers(model, tmp_path):
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(tmp_path / "m")
    other = network()
    other.load_weights(tmp_path / "m")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_runs_with_parts_of_ones_own_are_resumed_and_step_back(tmp_path):
    def interrupt(epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    whole, stepped, resumed = network(), network(), network()
    whole.fit(X, Y, epochs=5, verbose=0)
    panda = callbacks.Steering()
    back = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 4 and not panda.done and panda.go_back(2))
    stepped.fit(X, Y, epochs=5, verbose=0, callbacks=[panda, back])
    assert panda.done
    assert stepped.fingerprint() == whole.fingerprint()
    with contextlib.suppress(KeyboardInterrupt):
        watchers = [callbacks.BackupAndRestore(tmp_path), callbacks.LambdaCallback(on_epoch_end=interrupt)]
        network().fit(X, Y, epochs=5, verbose=0, callbacks=watchers)
    resumed.fit(X, Y, epochs=5, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert resumed.fingerprint() == whole.fingerprint()


def test_gradients_of_ones_own_layers_can_be_checked():
    own = flyball.Sequential([Scaled(4, input_shape=(5,)), layers.Dense(3, "softmax")])
    own.compile("sgd", "sparse_categorical_crossentropy")
    inspect.check_gradients(own, X[:20], Y[:20])


def test_files_execute_nothing(tmp_path, model):
    """Whatever a file names is looked up among what was given, never imported; and it must be of the right kind."""
    model.save(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    heard = []

    class Loud(layers.Dense):
        def __init__(self, *arguments, **options):
            heard.append(arguments)
            super().__init__(*arguments, **options)

    for name in ("os.system", "subprocess.Popen", "builtins>eval", "test_own_objects.Scaled"):
        config = {"class_name": name, "config": {}}
        with pytest.raises(ValueError, match="class_name of a layer must be one of"):
            layers.deserialize(config)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"]["config"] = header["__metadata__"]["config"].replace('"Saw"', '"Loud"')
    text = json.dumps(header).encode()
    (tmp_path / "m").write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    with pytest.raises(ValueError, match="'Loud' among custom objects must be a subclass of LearningRateSchedule"):
        flyball.load_model(tmp_path / "m", {**OWN, "Loud": Loud})
    assert heard == []


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: flyball.load_model("m", custom_objects=[Scaled]), ValueError, "custom_objects must be a dict of"),
        (lambda: flyball.load_model("m", {"Scaled": 3}), TypeError, r"custom_objects\['Scaled'\] must be a class or"),
        (lambda: flyball.load_model("m", {3: Scaled}), ValueError, "a name in custom_objects must be a non-empty"),
        (lambda: flyball.load_model("m", compile="no"), ValueError, "compile must be True or False, got 'no'"),
        (lambda: flyball.load_model("m", safe_mode=1), ValueError, "safe_mode must be True or False, got 1"),
        (lambda: saving.register_keras_serializable("a")(3), TypeError, "what is registered must be a class or"),
        (lambda: saving.register_keras_serializable("a")(dict), ValueError, "a class must have get_config .* got dict"),
        (lambda: saving.register_keras_serializable(""), ValueError, "package must be a non-empty string"),
        (lambda: models.model_from_json("[]"), ValueError, "json_string must be what to_json of a Sequential returned"),
        (lambda: models.clone_model(3), TypeError, "model must be a flyball.Sequential, got 3"),
        (lambda: models.clone_model(network(), clone_function=str), TypeError, "layer must be a flyball.layers.Layer"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_clones_have_first_weights_of_their_own(model):
    model.fit(X, Y, epochs=1, verbose=0)
    clone = models.clone_model(model)
    assert clone.optimizer is None
    assert [type(layer) for layer in clone.layers] == [type(layer) for layer in model.layers]
    assert clone.layers[0] is not model.layers[0]
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])
    late = flyball.Sequential([layers.Dense(2)])
    assert not models.clone_model(late).built
    late.build((None, 4))
    assert models.clone_model(late).input_shape == (None, 4)

    def halved(layer):
        return (
            layers.Dropout(layer.rate / 2)
            if isinstance(layer, layers.Dropout)
            else type(layer).from_config(layer.get_config())
        )

    dropping = flyball.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dropout(0.5)])
    assert models.clone_model(dropping, clone_function=halved).layers[1].rate == 0.25
    assert dropping.layers[1].rate == 0.5


def test_a_model_as_json(model):
    flyball.utils.clear_session()
    twin = models.model_from_json(model.to_json(), OWN)
    assert twin.to_json() == model.to_json()
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
