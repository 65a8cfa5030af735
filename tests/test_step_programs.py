"""Programs that a model keeps from one fit or evaluation to the next: never another result than a new one gives."""

import gc
import weakref

import numpy as np
import pytest

import flyball as fb
from flyball import _core, layers, regularizers
from flyball.training import Predictor, Shelf
from flyball.training.step_program import StepProgram


@pytest.fixture(params=["native", "reference"])
def _backend(request):
    with fb.backend.backend_scope(request.param):
        yield


def data(n=70, kind="float32", labels=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6)) * 3
    return x.astype(kind), rng.integers(0, labels, n)


def network(activation="softmax", loss="sparse_categorical_crossentropy", metrics=("accuracy",)):
    fb.utils.set_random_seed(3)
    model = fb.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(9, kernel_regularizer=regularizers.L2(1e-2)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.4),
            layers.Dense(3, activation=activation),
        ]
    )
    model.compile("adam", loss, metrics=list(metrics))
    return model


def made(monkeypatch):
    """Count the Programs that are made from now on."""
    count = [0]
    make = StepProgram.__init__

    def counted(self, recipe):
        count[0] += 1
        make(self, recipe)

    monkeypatch.setattr(StepProgram, "__init__", counted)
    return count


def change_rate(model):
    model.layers[3].rate = 0.1


def change_penalty(model):
    model.layers[0].kernel_regularizer = regularizers.L2(0.3)


def change_penalty_of_all(model):
    model.regularizer = regularizers.L1(0.02)


def change_learning_rate(model):
    model.optimizer.learning_rate = 0.3


def change_decay(model):
    model.optimizer.beta_1 = 0.5


def change_optimizer(model):
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])


def change_metrics(model):
    model.compile(model.optimizer, "sparse_categorical_crossentropy")


def change_loss(model):
    model.compile(model.optimizer, fb.losses.SparseCategoricalCrossentropy(ignore_class=1))


def freeze(model):
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


def load_weights(model):
    model.set_weights([np.full_like(w, 0.1) for w in model.get_weights()])


def change_seed(model):
    model._seed += 1


def nothing(model):
    del model


CHANGES = [
    nothing,
    change_rate,
    change_penalty,
    change_penalty_of_all,
    change_learning_rate,
    change_decay,
    change_optimizer,
    change_metrics,
    change_loss,
    freeze,
    load_weights,
    change_seed,
]
SETS = {
    "other values": data(seed=1),
    "more samples": data(83),
    "fewer samples": data(40),
    "integers": data(kind="int16"),
    "float64": data(kind="float64"),
    "strided": tuple(a[::2] for a in data(140)),
    "labels of another dtype": (data()[0], data()[1].astype("uint8")),
}


def outcome(model, x, y, **options):
    losses = model.fit(x, y, batch_size=16, epochs=2, verbose=0, **options).history
    return losses, model.evaluate(x, y, verbose=0), model.fingerprint()


def both(action, change=nothing, metrics=("accuracy",)):
    """Return what an action gives in the end with Programs that are kept, and with new ones."""
    found = []
    for keeps in (True, False):
        model = network(metrics=metrics)
        x, y = data()
        for _ in range(2):
            outcome(model, x, y)
        change(model)
        if not keeps:
            model._shelf = Shelf()
        found.append(action(model))
    return found


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_a_model_are_seen(change):
    kept, new = both(lambda model: outcome(model, *data()), change)
    assert kept == new


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("name", SETS)
def test_other_data_are_seen(name):
    kept, new = both(lambda model: outcome(model, *SETS[name]))
    assert kept == new


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize(
    "options",
    [
        {"sample_weight": np.linspace(0, 2, 70)},
        {"class_weight": {0: 2.0}},
        {"shuffle": False},
        {"validation_split": 0.3},
        {"steps_per_epoch": 2},
    ],
)
def test_other_arguments_are_seen(options):
    kept, new = both(lambda model: outcome(model, *data(), **options))
    assert kept == new


def test_another_backend_is_seen():
    def on_reference(model):
        with fb.backend.backend_scope("reference"):
            return outcome(model, *data())

    kept, new = both(on_reference)
    assert kept == new


def test_metrics_of_all_outputs_are_those_of_the_data():
    metrics = ["accuracy", fb.metrics.SparseTopKCategoricalAccuracy(2)]
    kept, new = both(lambda model: outcome(model, *data(seed=5)), metrics=metrics)
    assert kept == new


def test_a_program_is_made_once(monkeypatch):
    model = network()
    count = made(monkeypatch)
    for seed in range(3):
        outcome(model, *data(seed=seed))
    assert count == [2]  # of training, of evaluation
    outcome(model, *data(90))
    assert count == [4]
    change_rate(model)
    model.fit(*data(90), batch_size=16, verbose=0)
    assert count == [5]


def test_averages_of_weights_do_not_make_programs_anew(monkeypatch):
    model = network()
    model.compile(fb.optimizers.Adam(use_ema=True), "sparse_categorical_crossentropy")
    count = made(monkeypatch)
    for _ in range(3):
        model.fit(*data(), batch_size=16, verbose=0)
    assert count == [1]


@pytest.mark.usefixtures("_backend")
def test_data_are_let_go():
    class Watched(np.ndarray):
        pass

    model = network()
    x, y = data()
    x, weights = x.view(Watched), np.ones(70).view(Watched)
    outcome(model, x, y, sample_weight=weights)
    alive = weakref.ref(x), weakref.ref(weights)
    del x, weights
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_large_activations_are_let_go():
    model = network()
    x, y = data(400_000)
    model.fit(x, y, batch_size=400_000, verbose=0)
    assert not model._shelf._programs


def test_an_evaluation_inside_a_validation_leaves_it_alone():
    class Evaluates(fb.callbacks.Callback):
        def on_test_begin(self, logs=None):
            if not self.busy:
                self.busy = True
                self.model.evaluate(*data(33, seed=9), verbose=0)
                self.busy = False

        busy = False

    x, y = data()
    histories = []
    for callbacks in ([], [Evaluates()]):
        model = network()
        options = {"validation_data": data(70, seed=4), "callbacks": callbacks}
        histories.append(model.fit(x, y, batch_size=16, epochs=3, verbose=0, **options).history)
    assert histories[0] == histories[1]


def test_after_a_refusal_the_next_fit_is_as_ever():
    model, twin = network(), network()
    x, y = data()
    for each in (model, twin):
        each.fit(x, y, batch_size=16, verbose=0)
    with pytest.raises(ValueError, match="batch_size must be at least"):
        model.fit(x, y, batch_size=1, verbose=0)
    assert outcome(model, x, y) == outcome(twin, x, y)


# --- Programs that were made for few rows and are run on many -----------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "layer"), [((512,), layers.Dense(10)), ((16, 16, 8), layers.GroupNormalization(1, axis=1))]
)
def test_costs_and_workspaces_are_those_of_the_largest_step(shape, layer):
    """A Predictor is made once: with one row first, threads and workspace are still right for a thousand."""
    model = fb.Sequential([layers.Input(shape), layer])
    x = np.random.default_rng(0).standard_normal((64, *shape)).astype(np.float32)
    out = model.layers[-1].output_shape
    runners = [
        Predictor(model._nodes(), model._require_built(), x[:rows], None, out)._runner._program for rows in (1, 64)
    ]
    _core.set_num_threads(8)
    for rows in (1, 8, 64, 1024):
        predicted = [[program.predicted_seconds(n, rows) for n in (1, 2, 8)] for program in runners]
        assert predicted[0] == predicted[1]
        assert runners[0].threads(rows) == runners[1].threads(rows)
    if layer.name.startswith("dense"):
        assert runners[0].threads(1) == 1 < runners[0].threads(1024)
    model.predict(x[:1], verbose=0)
    few = model.predict(x[:5], verbose=0)
    model._forget_programs()
    np.testing.assert_array_equal(few, model.predict(x[:5], verbose=0))


class Subclass(np.ndarray):
    pass


X = data(5)[0]
SAMPLES = {
    "the same kind": X * 2,
    "one": X[:1],
    "many": np.tile(X, (500, 1)),
    "strided rows": np.tile(X, (2, 1))[::2],
    "columns first": np.asfortranarray(X),
    "the same row": np.broadcast_to(X[:1], (3, 6)),
    "read-only": np.frombuffer(X.tobytes(), np.float32).reshape(X.shape),
    "float64": X.astype(float),
    "integers": X.astype(int),
    "big-endian": X.astype(">f4"),
    "unaligned": np.frombuffer(b"0" + X.tobytes(), "u1")[1:].view(np.float32).reshape(X.shape),
    "a list": X.tolist(),
    "a subclass": X.view(Subclass),
    "none": X[:0],
    "a sample": X[0],
    "too many features": np.ones((2, 7), np.float32),
    "too many axes": np.ones((2, 6, 2), np.float32),
    "text": np.array([["a"] * 6]),
}


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("first", ["the same kind", "integers", "columns first"])
def test_prediction_does_not_depend_on_what_was_predicted_before(name, first):
    def predicted(model):
        try:
            return model.predict(SAMPLES[name])
        except (TypeError, ValueError) as error:
            return str(error)

    model, fresh = network(), network()
    model.predict(SAMPLES[first])
    found = predicted(model)
    np.testing.assert_array_equal(found, predicted(fresh))
    assert type(found) is str or (type(found) is np.ndarray and found.flags.owndata)


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("name", SAMPLES)
def test_rows_are_read_in_place_where_they_can_be(name):
    model = network()
    model.predict(X)
    found = model._predictor.run_in_place(SAMPLES[name])
    assert (found is not None) == (name in {"the same kind", "one", "many", "read-only"})
    if found is not None:
        np.testing.assert_array_equal(found, network().predict(SAMPLES[name], batch_size=7))
    np.testing.assert_array_equal(model.predict(X[1:3]), network().predict(X[1:3], batch_size=1))


@pytest.mark.usefixtures("_backend")
def test_images_are_read_in_place_too():
    model = fb.Sequential([layers.Input((4, 3, 2)), layers.BatchNormalization(), layers.Flatten(), layers.Dense(5)])
    x = np.random.default_rng(1).standard_normal((9, 4, 3, 2)).astype(np.float32)
    expected = model.predict(x, batch_size=2)
    assert model.predict(x[:1]).shape == (1, 5)
    np.testing.assert_array_equal(model._predictor.run_in_place(x), expected)
    assert model._predictor.run_in_place(x.reshape(9, 24)) is None


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"verbose": 3}, {"steps": -1}, {"seed": 1}, {"unknown": 1}])
def test_arguments_of_a_prediction_are_checked_each_time(options):
    model = network()
    model.predict(X)
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        model.predict(X, **options)


def test_a_prediction_follows_the_weights():
    model = network()
    before = model.predict(X)
    model.set_weights([w * 2 for w in model.get_weights()])
    assert not np.array_equal(model.predict(X), before)
