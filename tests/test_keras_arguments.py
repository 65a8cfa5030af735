"""Arguments and attributes that scripts written for Keras use: they work as there, or are refused by name."""

import inspect
import json
import re

import numpy as np
import pytest

import flyball
from flyball import layers, metrics, optimizers, regularizers

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60)


def new_model(**options):
    flyball.utils.set_random_seed(1)
    flyball.utils.clear_session()
    stack = [layers.Input((5,)), layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(3, "softmax")]
    model = flyball.Sequential(stack, **options)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


KERAS = {  # keras.Sequential's of Keras 3.15.1, in order
    "__init__": "layers trainable name",
    "compile": "optimizer loss loss_weights metrics weighted_metrics run_eagerly steps_per_execution jit_compile "
    "auto_scale_loss",
    "fit": "x y batch_size epochs verbose callbacks validation_split validation_data shuffle class_weight "
    "sample_weight initial_epoch steps_per_epoch validation_steps validation_batch_size validation_freq",
    "evaluate": "x y batch_size verbose sample_weight steps callbacks return_dict",
    "predict": "x batch_size verbose steps callbacks",
    "train_on_batch": "x y sample_weight class_weight return_dict",
    "test_on_batch": "x y sample_weight return_dict",
    "predict_on_batch": "x",
    "summary": "line_length positions print_fn expand_nested show_trainable layer_range",
    "get_layer": "name index",
    "count_params": "",
    "get_compile_config": "",
    "compile_from_config": "config",
    "reset_metrics": "",
    "load_weights": "filepath skip_mismatch",
    "save_weights": "filepath overwrite",
    "save": "filepath overwrite",
}


@pytest.mark.parametrize("method", KERAS)
def test_arguments_come_in_keras_order(method):
    parameters = inspect.signature(getattr(flyball.Sequential, method)).parameters.values()
    by_place = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    expected = KERAS[method].split()
    assert by_place[: len(expected)] == expected


def test_compile_takes_what_has_no_effect_and_checks_it():
    model, plain = new_model(), new_model()
    model.compile(
        "adam", "sparse_categorical_crossentropy", 1.0, ["accuracy"], None, True, 8, False, False
    )  # fmt: skip
    assert model.fit(X, Y, verbose=0).history == plain.fit(X, Y, verbose=0).history


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss_weights": [0.5]}, "loss_weights must be None: there is one loss, and a factor of it is one of"),
        ({"loss_weights": {"a": 1.0}}, "loss_weights must be None"),
        ({"run_eagerly": "yes"}, "run_eagerly must be True or False, got 'yes'"),
        ({"steps_per_execution": 0}, "steps_per_execution must be a positive integer, got 0"),
        ({"jit_compile": "always"}, "jit_compile must be True or False, got 'always'"),
        ({"auto_scale_loss": 2}, "auto_scale_loss must be True or False, got 2"),
    ],
)
def test_compile_refuses(options, message):
    model = new_model()
    with pytest.raises(ValueError, match=re.escape(message)):
        model.compile("sgd", "sparse_categorical_crossentropy", **options)
    assert model.optimizer.name == "adam"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: m.save("m", zipped=True), "save got an unexpected keyword argument 'zipped'"),
        (lambda m: m.save("m", overwrit=True), "did you mean 'overwrite'?"),
        (lambda m: m.save_weights("m", max_shard_size=1), "save_weights got an unexpected keyword argument"),
        (lambda m: m.load_weights("m", by_name=True), "load_weights got an unexpected keyword argument 'by_name'"),
        (lambda m: m.compile("sgd", "mse", loss_weight=[1]), "did you mean 'loss_weights'?"),
    ],
)
def test_unknown_arguments_are_refused_by_name(act, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        act(new_model())


@pytest.mark.parametrize(
    ("freq", "validated"), [(2, [1, 3]), ([1, 4], [0, 3]), ((3,), [2]), ({2, 9}, [1]), (range(1, 6, 2), [0, 2, 4])]
)
def test_epochs_with_validations(freq, validated):
    model, seen = new_model(), []

    class Count(flyball.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_test_begin(self, logs=None):
            seen.append(self.epoch)

    model.fit(X, Y, epochs=5, verbose=0, validation_data=(X, Y), validation_freq=freq, callbacks=[Count()])
    assert seen == validated
    assert len(model.history.history["val_loss"]) == len(validated)


@pytest.mark.parametrize(("freq", "shown"), [(0, "0"), ([1, 0], "0"), ("often", "'often'"), (1.5, "1.5")])
def test_frequencies_that_are_none(freq, shown):
    with pytest.raises(ValueError, match=f"validation_freq must be a positive integer, got {re.escape(shown)}"):
        new_model().fit(X, Y, verbose=0, validation_data=(X, Y), validation_freq=freq)


def test_what_a_model_was_compiled_with():
    model = flyball.Sequential([layers.Dense(3, "softmax", input_shape=(5,))])
    assert not model.compiled
    assert model.get_compile_config() == {}
    area = metrics.SparseTopKCategoricalAccuracy(2, name="top")
    loss = flyball.losses.SparseCategoricalCrossentropy(label_smoothing=0.1)
    schedule = optimizers.schedules.CosineDecay(0.1, 10)
    model.compile(optimizers.SGD(schedule, momentum=0.9), loss, metrics=[area], regularizer=regularizers.L1(0.1))
    other = flyball.Sequential([layers.Dense(3, "softmax", input_shape=(5,))])
    other.set_weights(model.get_weights())
    other._seed = model._seed
    other.compile_from_config(json.loads(json.dumps(model.get_compile_config())))
    assert other.compiled
    assert other.fit(X, Y, epochs=2, verbose=0).history == model.fit(X, Y, epochs=2, verbose=0).history
    assert [metric.name for metric in other.metrics] == ["top"]
    with pytest.raises(ValueError, match="the compilation must be an object of optimizer, loss"):
        other.compile_from_config({"optimizer": "sgd"})


def test_metrics_forget():
    model = new_model()
    (accuracy,) = model.metrics
    accuracy.update_state([1], [[0.1, 0.8, 0.1]])
    assert accuracy.result() == 1.0
    model.reset_metrics()
    assert accuracy.result() == 0.0


def test_batches_on_their_own_are_told_on_their_own():
    model = new_model()
    first = model.test_on_batch(X[:10], Y[:10])
    model.test_on_batch(X[10:20], Y[10:20])
    assert model.test_on_batch(X[:10], Y[:10]) == first


def test_a_model_is_called_to_predict():
    model = new_model()
    np.testing.assert_array_equal(model(X), model.predict(X))
    np.testing.assert_array_equal(model(X, training=False), model.predict(X))
    with pytest.raises(ValueError, match="training must be False: predict"):
        model(X, training=True)


def test_trainable_weights():
    model = new_model()
    names = [weight.name for weight in model.trainable_weights]
    assert names == [w.name for w in model.weights if "moving" not in w.name]
    assert [w.name for w in model.non_trainable_weights] == [w.name for w in model.weights if "moving" in w.name]
    model.trainable = False
    assert not any(layer.trainable for layer in model.layers)
    assert model.trainable_weights == []
    frozen = flyball.Sequential([layers.Input((5,)), layers.Dense(3)], trainable=False)
    frozen.add(layers.Dense(2))
    assert not frozen.trainable
    assert frozen.trainable_weights == []
    frozen.trainable = True
    assert len(frozen.trainable_weights) == 4


def lines_of(model, **options):
    texts = []
    model.summary(print_fn=texts.append, **options)
    assert len(texts) == 1
    return texts[0].splitlines()


def test_the_width_of_a_summary():
    model = new_model(name="net")
    natural = lines_of(model)
    assert natural[0] == 'Model: "net"'
    assert len(set(map(len, (natural[1], natural[3])))) == 1
    wide, narrow = lines_of(model, line_length=90), lines_of(model, line_length=40)
    assert (len(wide[1]), len(narrow[1])) == (90, 40)
    assert max(map(len, narrow[:7])) <= 40
    assert "…" in narrow[5]
    assert narrow[-3:] == wide[-3:] == natural[-3:]
    placed = lines_of(model, line_length=80, positions=[0.5, 0.8, 1.0])
    assert [placed[2].index("Output Shape"), len(placed[2])] == [40, 80]
    assert lines_of(model, positions=[40, 64, 80]) == placed


def test_what_a_summary_shows():
    model = new_model()
    model.layers[0].trainable = False
    table = lines_of(model, show_trainable=True)
    assert [line.split()[-1] for line in table[4:7]] == ["N", "Y", "Y"]
    assert table[2].split()[-1] == "Trainable"
    names = [layer.name for layer in model.layers]
    assert [line.split()[0] for line in lines_of(model, layer_range=(names[1], "dense_.*"))[4:-4]] == names[1:]
    nested = flyball.Sequential([layers.Input((4,)), layers.Residual([layers.Dense(4)])])
    assert len(lines_of(nested)) == len(lines_of(nested, expand_nested=False)) + 1


def test_a_summary_of_what_is_not_built():
    model = flyball.Sequential([layers.Dense(3), layers.Dropout(0.5)])
    table = lines_of(model)
    assert [line.split()[-3:] for line in table[4:6]] == [["?", "0", "(unbuilt)"]] * 2
    assert table[-3].startswith("Total params: 0 ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"line_length": 5}, "line_length must be an integer >= 30, got 5"),
        ({"positions": [0.5, 1.0]}, "positions must be 3 ends of columns, rising, got [0.5, 1.0]"),
        ({"positions": [0.5, 0.4, 1.0]}, "positions must be 3 ends of columns, rising"),
        ({"positions": [1, 2, 3]}, "positions must be ends of columns that leave room for each"),
        ({"layer_range": ["dense"]}, "layer_range must be two names of layers, or patterns of such, got ['dense']"),
        ({"layer_range": ("dense_1", "batch")}, "layer_range must be a first and a last of dense, batch"),
        ({"show_trainable": 1}, "show_trainable must be True or False, got 1"),
        ({"expand_nested": None}, "expand_nested must be True or False, got None"),
    ],
)
def test_what_a_summary_refuses(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        new_model().summary(**options)
