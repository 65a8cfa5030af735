"""Whether a model is what it was: what is asked before everything is looked at again."""

from __future__ import annotations

import numpy as np
import pytest

import flyball
from flyball import callbacks, constraints, layers, optimizers, regularizers, schedules
from flyball._contents import Contents


def data(n=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)), rng.integers(0, 2, n)


def new_model(optimizer=None):
    flyball.utils.set_random_seed(2)
    first = layers.Dense(
        6,
        kernel_regularizer=regularizers.L1L2(1e-3, 1e-3),
        kernel_constraint=constraints.MaxNorm(3.0, axis=[0]),
        activity_regularizer=regularizers.L2(1e-3),
    )
    stack = [first, layers.BatchNormalization(), layers.PReLU(), layers.GaussianNoise(0.1), layers.Dropout(0.2)]
    inside = layers.Residual([layers.Dense(6), layers.LayerNormalization()])
    model = flyball.Sequential([flyball.Input((4,)), *stack, inside, layers.Dense(2, "softmax")])
    model.compile(optimizer or optimizers.Adam(0.01), "sparse_categorical_crossentropy", regularizer="l2")
    return model


def contents(model):
    return Contents(*model._settings())


CHANGES = {
    "a rate": lambda m: setattr(m.layers[4], "rate", 0.3),
    "a rate inside": lambda m: setattr(m.layers[5].inner_layers[1], "epsilon", 0.1),
    "a penalty in place": lambda m: setattr(m.layers[0].kernel_regularizer, "l2", 0.3),
    "another penalty": lambda m: setattr(m.layers[0], "bias_regularizer", regularizers.L2(0.3)),
    "no penalty": lambda m: setattr(m.layers[0], "kernel_regularizer", None),
    "a penalty of outputs": lambda m: setattr(m.layers[0].activity_regularizer, "l2", 0.3),
    "the penalty of all": lambda m: setattr(m.regularizer, "l2", 0.3),
    "whose it is": lambda m: setattr(m, "regularize_biases", True),
    "a constraint": lambda m: setattr(m.layers[0].kernel_constraint, "max_value", 1.0),
    "a list in place": lambda m: m.layers[0].kernel_constraint.axis.append(1),
    "an element of a list": lambda m: m.layers[0].kernel_constraint.axis.__setitem__(0, 1),
    "a frozen layer": lambda m: setattr(m.layers[0], "trainable", False),
    "the optimizer": lambda m: setattr(m, "optimizer", optimizers.SGD()),
    "the optimizer's setting": lambda m: setattr(m.optimizer, "beta_1", 0.5),
    "a new attribute of it": lambda m: setattr(m.optimizer, "clip", 0.5),
    "its owner": lambda m: setattr(m.optimizer, "owner", object()),
    "another memory": lambda m: m.compile("adam", "sparse_categorical_crossentropy"),
    "another layer": lambda m: m.add(layers.Dense(3)),
    "the seed": lambda m: setattr(m, "_seed", 3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change):
    model = new_model()
    before = contents(model)
    assert before.are(*model._settings())
    CHANGES[change](model)
    assert not before.are(*model._settings())


def test_another_backend_is_a_change():
    model = new_model()
    before = contents(model)
    with flyball.backend.backend_scope("reference"):
        assert not before.are(*model._settings())
    assert before.are(*model._settings())


OPTIMIZERS = [
    kind
    for kind in map(vars(optimizers).get, optimizers.__all__)
    if isinstance(kind, type) and issubclass(kind, optimizers.Optimizer) and kind is not optimizers.Optimizer
]


@pytest.fixture
def looked(monkeypatch):
    """The epochs before which somebody has looked at all of a model."""
    nodes, epochs = flyball.Sequential._nodes, []
    monkeypatch.setattr(flyball.Sequential, "_nodes", lambda self: epochs.append(self._epochs) or nodes(self))
    return epochs


def fit(model, epochs, act):
    looker = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: act(model) if epoch == 2 else None)
    model.fit(*data(), 16, epochs, 0, [looker])


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training_changes_nothing(kind, looked):
    def act(model):
        model.optimizer.learning_rate = schedules.ExponentialDecay(0.1, 3, 0.9)
        model.layers[0](np.ones((2, 4)))
        model.set_weights([w + 1 for w in model.get_weights()])
        model.layers[0].weights[0].value[:] = 0

    model = new_model(kind())
    looked.clear()
    fit(model, 6, act)
    assert set(looked) == {0}


def test_fit_looks_again_only_after_a_change(looked):
    model = new_model()
    looked.clear()
    fit(model, 6, lambda model: setattr(model.layers[4], "rate", 0.5))
    assert set(looked) == {0, 3}
    assert looked.count(3) == 1


def test_a_second_fit_looks_at_nothing_that_has_not_changed(looked):
    model, (x, y) = new_model(), data()
    model.fit(x, y, 16, 2, 0, validation_data=(x, y))
    looked.clear()
    model.fit(x, y, 16, 2, 0, validation_data=(x, y))
    model.evaluate(x, y, verbose=0)
    assert looked == []
    model.optimizer.beta_1 = 0.5
    model.evaluate(x, y, verbose=0)
    model.fit(x, y, 16, 2, 0)
    assert looked == [4]


@pytest.mark.parametrize("change", ["a rate", "a penalty in place", "another penalty", "the optimizer's setting"])
def test_what_is_changed_between_two_fits_acts(change):
    def trained(*, again):
        model = new_model()
        model.fit(*data(), 16, 2, 0)
        if again:
            model.fit(*data(), 16, 1, 0)  # knows the nodes now
        else:
            model._known = None
            model.fit(*data(), 16, 1, 0)
            model._known = None
        CHANGES[change](model)
        before = model.fingerprint()
        model.fit(*data(), 16, 1, 0)
        return before, model.fingerprint()

    assert trained(again=True) == trained(again=False)
    unchanged = new_model()
    for epochs in (2, 1, 1):
        unchanged.fit(*data(), 16, epochs, 0)
    assert unchanged.fingerprint() != trained(again=True)[1]


OWN_RATE = {"now": 0.0}


class Own(layers.Dropout):
    """A layer whose rate is kept elsewhere."""

    def lower(self):
        self.rate = OWN_RATE["now"]
        return super().lower()


def test_of_an_object_of_ones_own_nobody_knows():
    model = flyball.Sequential([flyball.Input((4,)), Own(0.0), layers.Dense(2)])
    model.compile("sgd", "mse")
    assert not contents(model).are(*model._settings())


def test_what_a_layer_of_ones_own_depends_on_acts_from_the_next_epoch_on():
    def losses(change):
        flyball.utils.set_random_seed(0)
        OWN_RATE["now"] = 0.0
        model = flyball.Sequential([flyball.Input((4,)), Own(0.0), layers.Dense(1)])
        model.compile("sgd", "mse")
        watcher = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: OWN_RATE.update(now=change))
        return model.fit(*data(), 16, 2, 0, [watcher]).history["loss"]

    plain, changed = losses(0.0), losses(0.5)
    assert plain[0] == changed[0]
    assert plain[1] != changed[1]
