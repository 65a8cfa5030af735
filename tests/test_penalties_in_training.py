"""Penalties of whole models: their conventions beside other libraries', what they spare, and the exact zeros of L1."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from golden.networks import FEATURES, batch, samples

import flyball
from flyball import layers, losses, optimizers, regularizers
from flyball.regularizers import L1, L1L2, L2

GOLDEN = json.loads((Path(__file__).parent / "golden" / "torch_curves.json").read_text(encoding="utf-8"))
RNG = np.random.default_rng(8)
ROWS = 60
X = RNG.standard_normal((ROWS, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + 0.3 + 0.1 * RNG.standard_normal(ROWS)
BITS = (Y > 0).astype(float)


def linear(optimizer, loss, activation=None, **options):
    dense = layers.Dense(1, activation, kernel_initializer="zeros", input_shape=(4,))
    model = flyball.Sequential([dense], dtype="float64")
    model.compile(optimizer, loss, **options)
    return model


def fitted(model, y, epochs, **options):
    model.fit(X, y, batch_size=ROWS, epochs=epochs, verbose=0, **options)
    kernel, bias = model.get_weights()
    return kernel[:, 0], bias[0]


# --- conventions beside other libraries ------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_scikit_learns_ridge():
    linear_model = pytest.importorskip("sklearn.linear_model")
    want = linear_model.Ridge(alpha=3.0).fit(X, Y)  # sum of squares + alpha * sum(w**2)
    kernel, bias = fitted(linear(optimizers.SGD(0.2), "mse", regularizer=L2(3.0, "lambda/m")), Y, 300)
    np.testing.assert_allclose([*kernel, bias], [*want.coef_, want.intercept_], rtol=1e-9)


def test_scikit_learns_logistic_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    want = linear_model.LogisticRegression(C=0.5, tol=1e-12, max_iter=1000).fit(X, BITS)  # C * sum + sum(w**2) / 2
    model = linear(optimizers.SGD(2.0, momentum=0.9), "bce", "sigmoid", regularizer=L2(1 / 0.5, "lambda/2m"))
    kernel, bias = fitted(model, BITS, 500)
    np.testing.assert_allclose([*kernel, bias], [*want.coef_[0], want.intercept_[0]], rtol=1e-6)


def test_scikit_learns_lasso_and_elastic_net_have_the_same_zeros():
    linear_model = pytest.importorskip("sklearn.linear_model")
    for penalty, want in (
        # 1 / (2 * n) * sum of squares + alpha * (ratio * sum(|w|) + (1 - ratio) / 2 * sum(w**2)): half of ours.
        (L1(2 * 0.3, proximal=True), linear_model.Lasso(0.3, tol=1e-14)),
        (L1L2(2 * 0.15, 0.15, proximal=True), linear_model.ElasticNet(0.3, l1_ratio=0.5, tol=1e-14)),
    ):
        want.fit(X, Y)
        kernel, bias = fitted(linear(optimizers.SGD(0.2), "mse", regularizer=penalty), Y, 300)
        np.testing.assert_allclose([*kernel, bias], [*want.coef_, want.intercept_], atol=1e-9)
        np.testing.assert_array_equal(kernel == 0.0, want.coef_ == 0.0)
        assert (kernel == 0.0).any()
    kernel, _ = fitted(linear(optimizers.SGD(0.2), "mse", regularizer=L1(2 * 0.3)), Y, 300)
    assert (kernel != 0.0).all()  # a gradient oscillates about zero


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("name", "make", "penalty"),
    [
        ("SGD", lambda: optimizers.SGD(0.05, momentum=0.9), L2(0.1, "lambda/2")),
        ("Adam", lambda: optimizers.Adam(0.01, epsilon=1e-14), L2(0.1, "lambda/2")),
        ("AdamW", lambda: optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-14), None),
    ],
)
def test_torchs_weight_decay(name, make, penalty):
    x, y, weights = samples("tanh, L2, Adam")
    stack = [layers.Dense(12, "tanh", input_shape=(FEATURES,)), layers.Dense(1, "sigmoid")]
    model = flyball.Sequential(stack, dtype="float64")
    model.set_weights([array for pair in weights for array in pair])
    model.compile(make(), "bce", regularizer=penalty)
    for step in range(20):
        model.train_on_batch(x[batch(step)], y[batch(step)])
    for got, want in zip(model.get_weights(), GOLDEN["decay"][name], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("each_backend")
def test_decay_is_the_same_coupled_and_decoupled_for_sgd_and_another_for_adam():
    for optimizer, same in ((optimizers.SGD, True), (optimizers.Adam, False)):
        coupled = fitted(linear(optimizer(0.05), "mse", regularizer=L2(0.4, "lambda/2")), Y, 20)
        decoupled = fitted(linear(optimizer(0.05, weight_decay=0.4), "mse"), Y, 20)
        assert np.allclose(coupled[0], decoupled[0], rtol=1e-12) is same
        keras = fitted(linear(optimizer(0.05), "mse", regularizer=L2(0.2)), Y, 20)  # l2 * sum(w**2)
        np.testing.assert_allclose(keras[0], coupled[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("convention", "factor"),
    [("lambda", 1), ("lambda/2", 1 / 2), ("lambda/m", 1 / ROWS), ("lambda/2m", 1 / (2 * ROWS))],
)
def test_the_loss_that_is_reported_has_the_penalty_in_each_convention(convention, factor, each_backend):
    w = np.array([[0.5], [-1.0], [2.0], [0.0]])
    penalty = 0.3 * factor * np.abs(w).sum() + 0.7 * factor * np.square(w).sum()
    error = np.square(X @ w[:, 0] - Y).mean()
    for regularizer in (L1L2(0.3, 0.7, convention), L1L2(0.3, 0.7, convention, proximal=True)):
        for given in (regularizer, L1L2(0.3, 0.7, convention, ROWS)):
            model = linear(optimizers.SGD(0.0), "mse", regularizer=given)
            model.set_weights([w, [0.0]])
            np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), error + penalty, rtol=1e-12)
            history = model.fit(X, Y, batch_size=16, verbose=0).history["loss"]
            np.testing.assert_allclose(history, error + penalty, rtol=1e-12)
            # Validation on fewer samples has the penalty of training.
            history = model.fit(X, Y, verbose=0, validation_data=(X[:9], Y[:9])).history["val_loss"]
            np.testing.assert_allclose(history, np.square(X[:9] @ w[:, 0] - Y[:9]).mean() + penalty, rtol=1e-12)
    np.testing.assert_allclose(L1L2(0.3, 0.7, convention, ROWS)(w), penalty, rtol=1e-12)


def test_priors_are_penalties():
    # The loss times m is the negative log-posterior, up to a constant: Gaussian prior = L2, Laplace prior = L1.
    stats = pytest.importorskip("scipy.stats")
    for penalty, prior in (
        (L2(1 / 0.7**2, "lambda/2m"), stats.norm(0, 0.7)),
        (L1(1 / 0.4, "lambda/m"), stats.laplace(0, 0.4)),
    ):
        model = linear(optimizers.SGD(0.0), losses.BinaryCrossentropy(from_logits=True), regularizer=penalty)
        differences = []
        for scale in (0.3, 1.0, 2.0):
            w = scale * np.array([0.5, -1.0, 2.0, 0.3])
            model.set_weights([w[:, None], [0.1]])
            chance = 1 / (1 + np.exp(-(X @ w + 0.1)))
            posterior = stats.bernoulli(chance).logpmf(BITS).sum() + prior.logpdf(w).sum()
            differences.append(ROWS * model.evaluate(X, BITS, verbose=0) + posterior)
        np.testing.assert_allclose(differences, differences[0], rtol=1e-11)


# --- which weights they are of ---------------------------------------------------------------------------------------


def stack(**options):
    return [layers.Dense(3, input_shape=(4,), **options), layers.BatchNormalization(), layers.Dense(1)]


def strengths(model):
    model._nodes()
    return {weight.name.partition("/")[2]: (weight.l1, weight.l2) for weight in model.weights if weight.trainable}


def test_biases_and_normalisations_are_spared_unless_asked_for_and_layers_have_their_own():
    model = flyball.Sequential(stack(kernel_regularizer=L1(0.5)))
    model.compile("sgd", "mse", regularizer=L2(0.1))
    model._nodes()
    assert [(w.l1, w.l2) for w in model.layers[0].weights] == [(0.5, 0.0), (0.0, 0.0)]
    assert [(w.l1, w.l2) for w in model.layers[1].weights] == [(0.0, 0.0)] * 4
    assert [(w.l1, w.l2) for w in model.layers[2].weights] == [(0.0, 0.2), (0.0, 0.0)]
    model.compile("sgd", "mse", regularizer=L2(0.1), regularize_biases=True)
    assert strengths(model) == {"kernel": (0.0, 0.2), "bias": (0.0, 0.2), "gamma": (0.0, 0.2), "beta": (0.0, 0.2)}
    assert [(w.l1, w.l2) for w in model.layers[0].weights] == [(0.5, 0.0), (0.0, 0.2)]
    model.compile("sgd", "mse")
    assert [(w.l1, w.l2) for w in model.layers[0].weights] == [(0.5, 0.0), (0.0, 0.0)]


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("decay_biases", [False, True])
def test_decay_of_biases_is_an_option_of_optimizers(decay_biases):
    model = linear(optimizers.SGD(0.1, weight_decay=0.5, decay_biases=decay_biases), "mse")
    model.set_weights([np.ones((4, 1)), [1.0]])
    error = X.sum(1) + 1.0 - Y
    kernel, bias = fitted(model, Y, 1)
    np.testing.assert_allclose(kernel, 0.95 - 0.1 * 2 * (error @ X) / ROWS, rtol=1e-12)
    np.testing.assert_allclose(bias, (0.95 if decay_biases else 1.0) - 0.1 * 2 * error.mean(), rtol=1e-12)


@pytest.mark.usefixtures("each_backend")
def test_a_penalty_that_is_changed_acts_from_the_next_training_or_epoch_on():
    class Stronger(flyball.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.regularizer = L2(0.1 * epoch)

    model = linear(optimizers.SGD(0.0), "mse")
    model.set_weights([np.ones((4, 1)), [0.0]])
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[Stronger()]).history["loss"]
    np.testing.assert_allclose(np.diff(history), 0.4, rtol=1e-10)
    model.layers[0].kernel_regularizer = L2(0.5)
    np.testing.assert_allclose(model.fit(X, Y, verbose=0).history["loss"][0] - history[0], 2.0)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0) - history[0], 2.0)


def test_batches_that_do_not_tell_their_number_need_it_given():
    data = [(X[:30], Y[:30]), (X[30:], Y[30:])]
    model = linear("sgd", "mse", regularizer=L2(1.0, "lambda/m"))
    with pytest.raises(ValueError, match=re.escape("must be given samples, as data that come in batches do not tell")):
        model.fit(data, verbose=0)
    results = []
    for x, y, samples_given in ((data, None, ROWS), (X, Y, None)):
        model = linear("sgd", "mse", regularizer=L2(1.0, "lambda/m", samples_given))
        model.fit(x, y, verbose=0, shuffle=False, **({} if y is None else {"batch_size": 30}))
        results.append(model.get_weights()[0])
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_proximal_zeros_in_a_network_with_adam_and_clipping():
    flyball.utils.set_random_seed(0)
    model = flyball.Sequential([layers.Dense(20, "relu", input_shape=(4,)), layers.Dense(1)])
    model.compile(optimizers.Adam(0.01, clipnorm=1.0), "mse", regularizer=L1(0.05, proximal=True))
    model.fit(X, Y, epochs=200, verbose=0)
    kernels = np.concatenate([model.layers[i].get_weights()[0].ravel() for i in (0, 1)])
    assert 0.1 < (kernels == 0.0).mean() < 0.9


def test_a_saved_model_keeps_its_penalty(tmp_path):
    model = linear("sgd", "mse", regularizer=L1(0.2, "lambda/2", proximal=True), regularize_biases=True)
    model.set_weights([np.ones((4, 1)), [1.0]])
    model.save(tmp_path / "model.fb")
    twin = flyball.load_model(tmp_path / "model.fb")
    assert twin.regularizer.get_config() == model.regularizer.get_config()
    assert twin.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L2(0.1, "lamda"), ValueError, "convention must be one of lambda, lambda/2, lambda/m, lambda/2m, got"),
        (lambda: L2(0.1, samples=0), ValueError, "samples must be a positive integer, got 0"),
        (lambda: L2(0.1, proximal=True), TypeError, "L2 got an unexpected keyword argument 'proximal'"),
        (lambda: L1(0.1, convention="lambda/m")(X), ValueError, "samples must be given to compute a penalty by itself"),
        (lambda: linear("sgd", "mse", regularizer="ridge"), ValueError, "regularizer must be a regularizer or one of"),
        (
            lambda: linear("sgd", "mse", regularize_biases=1),
            ValueError,
            "regularize_biases must be True or False, got 1",
        ),
        (lambda: optimizers.SGD(decay_biases=1), ValueError, "decay_biases must be True or False, got 1"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_regularizers_keep_their_configurations():
    for made in (L1(0.2, "lambda/m", 5, proximal=True), L2(0.1, "lambda/2"), L1L2(0.1, 0.2)):
        twin = regularizers.get(regularizers.serialize(made))
        assert twin.get_config() == made.get_config()


def orthogonal(mode="columns", factor=0.5, optimizer=None, **compiled):
    flyball.utils.set_random_seed(1)
    penalty = regularizers.OrthogonalRegularizer(factor, mode)
    stack = [layers.Input((4,)), layers.Dense(6, "tanh", kernel_regularizer=penalty), layers.Dense(2)]
    model = flyball.Sequential(stack, dtype="float64")
    model.compile(optimizer or flyball.optimizers.SGD(0.1), "mse", **compiled)
    return model


def orthogonal_data():
    rng = np.random.default_rng(6)
    return rng.normal(size=(9, 4)), rng.normal(size=(9, 2))


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_regularizer_is_added_to_the_loss_and_its_gradient(mode, each_backend):
    x, y = orthogonal_data()
    model, plain = orthogonal(mode), orthogonal(factor=0.0)
    before = model.get_weights()[0]
    penalty = regularizers.OrthogonalRegularizer(0.5, mode)
    slope = flyball.functional.orthogonal_penalty(before, factor=0.5, mode=mode).dw
    value = penalty(before)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(plain.evaluate(x, y, verbose=0) + value, rel=1e-12)
    found = [m.fit(x, y, batch_size=9, verbose=0).history["loss"][0] for m in (model, plain)]
    assert found[0] == pytest.approx(found[1] + value, rel=1e-12)
    np.testing.assert_allclose(model.get_weights()[0], plain.get_weights()[0] - 0.1 * slope, rtol=1e-9)
    assert np.abs(slope).max() > 0.01


def test_orthogonal_gradients_are_those_of_finite_differences():
    assert flyball.inspect.check_gradients(orthogonal(), *orthogonal_data()).passed


def test_orthogonal_regularizer_brings_units_to_right_angles():
    x, y = orthogonal_data()
    free, bound = orthogonal(factor=0.0), orthogonal("columns", 5.0, flyball.optimizers.Adam(0.01))
    for model in (free, bound):
        model.fit(x, y, epochs=300, verbose=0)
    cosines = regularizers.OrthogonalRegularizer(1.0, "columns")
    # Six units of four inputs cannot all be at right angles.
    assert cosines(bound.get_weights()[0]) < 0.8 * cosines(free.get_weights()[0])


def test_orthogonal_regularizer_with_clipping_and_accumulated_steps(each_backend):
    """Of two half batches and their mean, the penalty's gradient is there once, and clipping takes it in."""
    x, y = orthogonal_data()
    x, y = x[:8], y[:8]
    whole = orthogonal(optimizer=flyball.optimizers.SGD(0.1, clipnorm=0.05))
    halves = orthogonal(optimizer=flyball.optimizers.SGD(0.1, clipnorm=0.05, gradient_accumulation_steps=2))
    losses = [
        model.fit(x, y, batch_size=size, shuffle=False, verbose=0).history["loss"]
        for model, size in ((whole, 8), (halves, 4))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for one, other in zip(whole.get_weights(), halves.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_orthogonal_regularizer_has_the_same_bits_on_any_number_of_threads():
    x, y = orthogonal_data()
    before, prints = flyball.get_num_threads(), set()
    for threads in (1, 2, 3):
        flyball.set_num_threads(threads)
        try:
            model = orthogonal()
            model.fit(x, y, epochs=3, verbose=0)
        finally:
            flyball.set_num_threads(before)
        prints.add(model.fingerprint())
    assert len(prints) == 1


def test_orthogonal_regularizer_survives_saving(tmp_path):
    x, y = orthogonal_data()
    model = orthogonal()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.flyball")
    loaded = flyball.load_model(tmp_path / "m.flyball")
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert loaded.layers[0].kernel_regularizer.get_config() == {"factor": 0.5, "mode": "columns"}


def test_orthogonal_regularizers_are_for_kernels():
    stack = [layers.Input((4,)), layers.Dense(3, bias_regularizer=regularizers.OrthogonalRegularizer())]
    with pytest.raises(ValueError, match=r"bias must be a matrix for an orthogonal regularizer, got \(3,\)"):
        flyball.Sequential(stack)
    with pytest.raises(ValueError, match="activity_regularizer must be L1 or L2 in the gradient"):
        layers.Dense(3, activity_regularizer="orthogonal_regularizer")
