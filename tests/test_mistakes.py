"""Mistakes that are often made with data: what is said of them, and that they leave the model as it was."""

import copy
import re

import numpy as np
import pytest

import flyball
from flyball import callbacks, layers, optimizers

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60)
WITH_NAN = np.where(np.arange(60) == 7, np.nan, Y)


def new_model(built=True):
    flyball.utils.set_random_seed(1)
    flyball.utils.clear_session()
    first = [layers.Input((5,))] if built else []
    stack = [layers.Dense(4, "relu", kernel_regularizer="l2"), layers.BatchNormalization(), layers.Dense(3, "softmax")]
    model = flyball.Sequential([*first, *stack])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


MISTAKES = {
    "a pair": (lambda m: m.fit((X, Y)), "x must be samples alone, and y an argument of its own, got a tuple of arrays"),
    "a list of two": (lambda m: m.fit([X, Y]), "got a list of arrays of shapes (60, 5), (60,)"),
    "a pair to evaluate": (lambda m: m.evaluate((X, Y)), "x must be samples alone, and y an argument of its own"),
    "no y": (lambda m: m.fit(X), "y must be targets for the loss sparse_categorical_crossentropy, got None"),
    "names": (lambda m: m.fit(X, np.array(["cat", "dog", "cow"] * 20)), "y must be numbers, got 'cat' (dtype <U3); "),
    "objects": (lambda m: m.fit(X, np.array(["cat"] * 60, object)), "numpy.unique(y, return_inverse=True)[1] numbers"),
    "nan in y": (lambda m: m.fit(X, WITH_NAN), "y must be integers in [0, 3), got nan in row 7"),
    "classes from 1": (lambda m: m.fit(X, Y + 1), "y must be integers in [0, 3), got 3 in row"),
    "one-hot rows": (lambda m: m.fit(X, np.eye(3)[Y]), "for one-hot rows use categorical_crossentropy"),
    "lengths": (lambda m: m.fit(X, Y[:50]), "y must have one row for each of the 60 rows of x, got 50"),
    "weights": (lambda m: m.fit(X, Y, sample_weight=np.ones(3)), "sample_weight must have shape (60,)"),
    "validation": (lambda m: m.fit(X, Y, validation_data=(X, Y + 1)), "validation_data[1] must be integers in [0, 3)"),
    "callbacks": (lambda m: m.fit(X, Y, callbacks=["stop"]), "callbacks must be instances of flyball.callbacks"),
    "test_on_batch": (lambda m: m.test_on_batch(X, Y + 1), "y must be integers in [0, 3), got 3 in row"),
    "train_on_batch": (lambda m: m.train_on_batch(X, Y + 1), "y must be integers in [0, 3), got 3 in row"),
    "batches": (lambda m: m.fit([(X, Y + 1)]), "x[0][1] must be integers in [0, 3), got 3 in row"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("built", [True, False])
def test_mistakes_are_named_and_leave_the_model_as_it_was(name, built):
    act, message = MISTAKES[name]
    model, expected = new_model(built), new_model(built)
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        act(model)
    assert model.built is built
    assert model.get_config() == expected.get_config()
    model.fit(X, Y, verbose=0)
    expected.fit(X, Y, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


def test_an_unbuilt_model_takes_other_samples_after_a_mistake():
    model = new_model(built=False)
    with pytest.raises(ValueError, match="y must have one row"):
        model.fit(X, Y[:3])
    model.fit(X[:, :3], Y, verbose=0)
    assert model.input_shape == (None, 3)
    blocks = flyball.Sequential([layers.Residual([layers.Dense(4), layers.Dense(5)]), layers.Dense(1)])
    with pytest.raises(ValueError, match="input's shape"):
        blocks.build((None, 3))
    blocks.build((None, 5))
    assert blocks.output_shape == (None, 1)


def test_what_a_layer_has_adapted_to_survives_a_mistake():
    scaling = layers.Normalization()
    scaling.adapt(X)
    model = flyball.Sequential([scaling, layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    twin = copy.deepcopy(model)
    with pytest.raises(ValueError, match="y must be integers"):
        model.fit(X, Y + 1)
    for each in (model, twin):
        each.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: m.fit(Y, X), "got shape (60,); y has samples of that shape: are x and y swapped?"),
        (lambda m: m.evaluate(Y, X), "are x and y swapped?"),
        (lambda m: m.fit(X, Y, validation_data=(Y, X)), "are validation_data[0] and validation_data[1] swapped?"),
        (lambda m: m.predict(X[0]), "got shape (5,); a single sample is x[numpy.newaxis]"),
        (lambda m: m.predict((X, Y)), "x must be one array, got a tuple of arrays of shapes (60, 5), (60,)"),
        (lambda m: m.predict([[1, 2], [3]]), "x must be an array of numbers, got list"),
    ],
)
def test_what_probably_was_meant(act, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        act(new_model())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.BatchNormalisation, "module 'flyball.layers' has no attribute 'BatchNormalisation'; did you"),
        (lambda: callbacks.EarlyStoping, "did you mean 'EarlyStopping'?"),
        (lambda: optimizers.RMSProp, "did you mean 'RMSprop'?"),
        (lambda: flyball.losses.MeanSquareError, "did you mean 'MeanSquaredError'?"),
        (lambda: flyball.metrics.F1score, "did you mean 'F1Score'?"),
        (lambda: flyball.models.Sequentiel, "did you mean 'Sequential'?"),
        (lambda: flyball.Sequentiel, "module 'flyball' has no attribute 'Sequentiel'; did you mean 'Sequential'?"),
        (lambda: flyball.functional.dropout, "has no attribute 'dropout'; did you mean 'dropout_forward'?"),
        (lambda: flyball.functional.batch_norm, "did you mean 'batch_norm_forward'?"),
        (lambda: layers.Conv2D, "module 'flyball.layers' has no attribute 'Conv2D'"),
        (lambda: optimizers.Adam().lr, "an optimizer has no attribute 'lr'; did you mean 'learning_rate'?"),
        (lambda: setattr(optimizers.Adam(), "lr", 0.1), "an optimizer has no attribute 'lr'; did you mean"),
    ],
)
def test_names_that_are_not_there(make, message):
    with pytest.raises(AttributeError, match=re.escape(message)):
        make()


def test_text_in_a_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": [1.0, 2.0], "kind": ["a", "b"]})
    with pytest.raises(TypeError, match=r"x must be numbers, got dtype .* in column 'kind', which begins with 'a'"):
        new_model().predict(frame)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Adam(lr=0.1), "'lr'; did you mean 'learning_rate'?"),
        (lambda: new_model().fit(X, Y, nb_epoch=3), "'nb_epoch'; did you mean 'epochs'?"),
        (lambda: new_model().fit(X, Y, vs=0.1), "'vs'; did you mean 'validation_split'?"),
        (lambda: callbacks.EarlyStopping(min_deltas=1), "min_deltas"),
    ],
)
def test_names_of_arguments(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        make()
