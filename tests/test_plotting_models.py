"""Pictures of models, penalties, images and schedules: the numbers behind them, and what they refuse."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import flyball as fb
from flyball import initializers, inspect, layers, plotting, schedules

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

if TYPE_CHECKING:
    from collections.abc import Iterator

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 4))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    fb.utils.clear_session()
    yield
    pyplot.close("all")


def network(*stack: Any, dtype: str = "float32", outputs: int = 2) -> fb.Sequential:
    fb.utils.set_random_seed(0)
    model = fb.Sequential([layers.Input((4,)), *stack, layers.Dense(outputs, "softmax")], dtype=dtype)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


# --- activations ----------------------------------------------------------------------------------------------------


def test_activation_histograms_are_the_statistics_of_the_layers() -> None:
    model = network(*(layers.Dense(6, "tanh") for _ in range(3)))
    display = plotting.ActivationHistogramDisplay.from_model(model, X, bins=11)
    assert [row.name for row in display.rows] == ["dense", "dense_1", "dense_2"]
    found = inspect.activation_statistics(model, X, bins=11)
    np.testing.assert_array_equal(display.rows[1].counts, found[1].counts)
    display.plot(title="tanh")
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["dense", "dense_1", "dense_2"]
    assert display.ax_.texts[0].get_text() == f"{found[0].std:.2g}"
    chosen = plotting.ActivationHistogramDisplay.from_model(model, X, layers=["dense_3", 0], training=True)
    assert [row.name for row in chosen.rows] == ["dense_3", "dense"]
    with pytest.raises(ValueError, match="rows must have a layer, got none"):
        plotting.ActivationHistogramDisplay([])


def test_vanished_and_constant_outputs_are_drawn_too() -> None:
    small = initializers.RandomNormal(stddev=1e-4)
    model = network(*(layers.Dense(6, "tanh", kernel_initializer=small) for _ in range(7)), layers.Dense(3, "relu"))
    weights = model.get_weights()
    weights[-4][...] = 0.0
    model.set_weights(weights)
    display = plotting.ActivationHistogramDisplay.from_model(model, X).plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_xlabel() == "layer"
    assert len(display.ax_.lines) == 8 + 6  # a line for each histogram that is too thin to be seen


# --- penalties ------------------------------------------------------------------------------------------------------


def test_penalty_paths_are_those_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x = RNG.standard_normal((50, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    y = x @ np.array([1.0, -0.4]) + 0.1 * RNG.standard_normal(50)
    display = plotting.PenaltyContourDisplay.from_data(x, y)
    xc, yc = x - x.mean(axis=0), y - y.mean()
    np.testing.assert_allclose(display.optimum, np.linalg.lstsq(xc, yc, rcond=None)[0], rtol=1e-9)
    weights = np.array([0.3, 0.2])
    np.testing.assert_allclose(display.loss(weights), np.mean((yc - xc @ weights) ** 2), rtol=1e-9)
    for i in (5, 20, 45):
        strength = display.strengths["l1"][i]  # scikit-learn's lasso halves the squared error
        lasso = linear.Lasso(alpha=strength / 2, tol=1e-12, max_iter=100_000).fit(x, y)
        np.testing.assert_allclose(display.paths["l1"][i], lasso.coef_, atol=1e-7)
        np.testing.assert_array_equal(display.paths["l1"][i] == 0.0, lasso.coef_ == 0.0)
        ridge = linear.Ridge(alpha=display.strengths["l2"][i] * len(x), tol=1e-12).fit(x, y)
        np.testing.assert_allclose(display.paths["l2"][i], ridge.coef_, atol=1e-7)
    solution = display.paths["l1"][display.chosen["l1"]]
    assert (solution == 0.0).sum() == 1
    assert not (display.paths["l2"][display.chosen["l2"]] == 0.0).any()
    assert not (display.paths["l1"][display.chosen["l1"] - 1] == 0.0).any()
    display.plot()
    assert len(display.ax_) == 2
    assert "exactly 0" in display.ax_[1].texts[-1].get_text()
    assert "none is 0" in display.ax_[0].texts[-1].get_text()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((5, 3)), np.ones(5), r"x must have shape \(samples, 2\), got \(5, 3\)"),
        (np.ones((5, 2)), np.ones(4), r"y must have shape \(5,\), got \(4,\)"),
        (np.outer(np.arange(5), [1, 2]), np.ones(5), "x must be finite, with two columns that are no multiples"),
        (np.full((5, 2), np.nan), np.ones(5), "x must be finite"),
    ],
)
def test_bad_regressions(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plotting.PenaltyContourDisplay.from_data(x, y)


# --- sub-networks ---------------------------------------------------------------------------------------------------


def test_sub_networks_are_all_there_and_predict_what_numpy_does() -> None:
    model = network(layers.Dropout(0.2), layers.Dense(3, "tanh"), layers.Dropout(0.5), dtype="float64")
    display = plotting.SubnetworksDisplay.from_model(model, X[:5])
    assert len(display.masks) == len(display.probabilities) == 2**7
    np.testing.assert_allclose(display.probabilities.sum(), 1.0)
    w1, b1, w2, b2 = model.get_weights()
    expected, mean = {}, 0.0
    for bits in product([True, False], repeat=7):
        inputs, hidden = np.array(bits[:4]), np.array(bits[4:])
        h = np.tanh((X[:5] * inputs / 0.8) @ w1 + b1)
        z = np.exp((h * hidden / 0.5) @ w2 + b2)
        expected[bits] = z / z.sum(axis=1, keepdims=True)
        mean = mean + np.where(inputs, 0.8, 0.2).prod() * 0.5**3 * expected[bits]
    for mask, output in zip(display.masks, display.outputs, strict=True):
        np.testing.assert_allclose(output, expected[(*mask[0], *mask[1])], atol=1e-12)
    np.testing.assert_allclose(display.mean, mean, atol=1e-12)
    np.testing.assert_allclose(display.scaled, model.predict(X[:5]), atol=1e-12)
    display.plot(networks=9, output=1)
    assert display.ax_[0].get_title(loc="left") == "9 of 128 networks that dropout trains"


def test_the_mean_of_linear_sub_networks_is_the_scaled_network() -> None:
    fb.utils.set_random_seed(1)
    model = fb.Sequential([layers.Input((2,)), layers.Dropout(0.5), layers.Dense(1)], dtype="float64")
    before = model.fingerprint()
    display = plotting.SubnetworksDisplay.from_model(model, X[:6, :2])
    np.testing.assert_allclose(display.mean, display.scaled, atol=1e-12)
    assert len(display.masks) == 4
    assert model.fingerprint() == before
    display.plot()
    assert display.figure_ is display.ax_[1].figure


def test_bad_sub_networks() -> None:
    with pytest.raises(ValueError, match="model must have 1 to 12 units that can be dropped, for most=4096, got 0"):
        plotting.SubnetworksDisplay.from_model(network(), X)
    with pytest.raises(ValueError, match="model must have 1 to 3 units that can be dropped, for most=8, got 4"):
        plotting.SubnetworksDisplay.from_model(network(layers.Dropout(0.5)), X, most=8)
    behind = network(layers.Dropout(0.5), layers.BatchNormalization())
    with pytest.raises(ValueError, match="in front of dense ones, got 'batch_normalization' behind one"):
        plotting.SubnetworksDisplay.from_model(behind, X)
    display = plotting.SubnetworksDisplay.from_model(network(layers.Dropout(0.5)), X)
    with pytest.raises(ValueError, match=r"output must be in \[0, 2\), got 2"):
        display.plot(output=2)
    with pytest.raises(ValueError, match="networks must be a positive integer, got 0"):
        display.plot(networks=0)


# --- weights --------------------------------------------------------------------------------------------------------


def test_weights_and_their_exact_zeros() -> None:
    model = network(layers.Dense(9, "relu"), layers.BatchNormalization())
    weights = model.get_weights()
    weights[0][:2] = 0.0
    model.set_weights(weights)
    display = plotting.WeightDisplay.from_model(model)
    assert display.zeros == {"dense": 0.5, "dense_1": 0.0}
    display.plot()
    assert display.ax_[0].texts[0].get_text().startswith("50 % are exactly 0")
    assert display.ax_[1].texts[0].get_text().startswith("none is exactly 0")
    images = plotting.WeightDisplay.from_model(model, layers=["dense"]).plot(kind="images", shape=(2, 2), units=5)
    shown = images.ax_.images[0].get_array()
    assert shown.shape == (5, 8)
    largest = np.argmax(np.linalg.norm(weights[0], axis=0))
    np.testing.assert_allclose(shown[:2, :2], weights[0][:, largest].reshape(2, 2), rtol=1e-6)


def test_weights_of_several_models() -> None:
    models = {"a": network(layers.Dense(3)), "b": network(layers.Dense(5))}
    display = plotting.WeightDisplay.from_models(models, layer=1)
    assert {name: values.shape for name, values in display.weights.items()} == {"a": (3, 2), "b": (5, 2)}
    named = plotting.WeightDisplay.from_models({"a": models["a"]}, layer=models["a"].layers[0].name)
    assert named.weights["a"].shape == (4, 3)
    named.plot(pyplot.subplots()[1])
    with pytest.raises(ValueError, match=r"layer must be in \[0, 2\), the layers with a kernel, got 2"):
        plotting.WeightDisplay.from_models(models, layer=2)
    with pytest.raises(ValueError, match="layers must be one of dense, dense_1, got 'dens'; did you mean"):
        plotting.WeightDisplay.from_model(models["a"], layers=["dens"])
    with pytest.raises(ValueError, match=r"shape must have 4 pixels, one for each weight of a unit, got \(2, 3\)"):
        display.from_models(models).plot(kind="images", shape=(2, 3))
    with pytest.raises(ValueError, match="kind must be one of histogram, images, got 'image'; did you mean 'images'"):
        display.plot(kind="image")
    with pytest.raises(ValueError, match="weights must have an array that is not empty"):
        plotting.WeightDisplay({})
    with pytest.raises(ValueError, match="model must have a built layer with a kernel, got 'sequential' without"):
        plotting.WeightDisplay.from_model(fb.Sequential([layers.Dense(2)]))


# --- images ---------------------------------------------------------------------------------------------------------


def test_augmented_images_stand_in_rows() -> None:
    images = RNG.random((3, 4, 4))
    display = plotting.AugmentationDisplay.from_functions(
        images, {"flipped": lambda batch: batch[:, ::-1], "cropped": lambda batch: batch[:, :2, :2]}, labels=[6, 8, 9]
    ).plot()
    assert list(display.rows) == ["as they are", "flipped", "cropped"]
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["as they are", "flipped", "cropped"]
    assert [text.get_text() for text in display.ax_.texts] == ["6", "8", "9"]
    assert len(display.ax_.images) == 9
    low, high = images.min(), images.max()
    shown = np.asarray(display.ax_.images[4].get_array())
    np.testing.assert_allclose(shown, (images[1, ::-1] - low) / (high - low))
    colour = plotting.AugmentationDisplay({"colour": RNG.random((2, 4, 4, 3)), "grey": RNG.random((2, 4, 4, 1))})
    assert len(colour.plot(value_range=(0.0, 1.0)).ax_.images) == 4


def test_bad_galleries() -> None:
    with pytest.raises(ValueError, match="rows must have as many images each"):
        plotting.AugmentationDisplay({"a": np.ones((2, 4, 4)), "b": np.ones((3, 4, 4))})
    with pytest.raises(ValueError, match="rows must have as many images each"):
        plotting.AugmentationDisplay({"a": np.ones((4, 4))})
    with pytest.raises(ValueError, match="labels must be one for each image, got 1"):
        plotting.AugmentationDisplay({"a": np.ones((2, 4, 4))}, labels=["a"])


# --- minima ---------------------------------------------------------------------------------------------------------


def test_losses_along_directions_are_those_of_moved_weights() -> None:
    model = network(layers.Dense(3, "tanh"), layers.BatchNormalization(), dtype="float64")
    model.fit(X, Y, epochs=3, verbose=0)
    before = model.fingerprint()
    display = plotting.FlatMinimaDisplay.from_models({"net": model}, X, Y, radius=0.5, points=5, directions=2, seed=4)
    assert model.fingerprint() == before
    losses = display.losses["net"]
    assert losses.shape == (2, 5)
    np.testing.assert_allclose(losses[:, 2], model.evaluate(X, Y, verbose=0))
    rng = np.random.default_rng(4)
    weights = {weight.name: weight.value.copy() for weight in model.weights}
    for weight in model.weights:
        if weight.trainable:
            step = rng.standard_normal(weight.shape)
            norm = np.linalg.norm(weight.value)
            weight.value[...] += 0.25 * norm * step / np.linalg.norm(step)
    np.testing.assert_allclose(losses[0, 3], model.evaluate(X, Y, verbose=0))
    for weight in model.weights:
        weight.value[...] = weights[weight.name]
    rise = display.rise(0.25)["net"]
    np.testing.assert_allclose(rise, losses[:, [1, 3]].mean() - losses[:, 2].mean())
    display.plot(title="flat")
    assert display.ax_.get_legend().get_texts()[0].get_text() == "net"
    with pytest.raises(ValueError, match=r"distance must be one of distances, as 0.25, got 0.3"):
        display.rise(0.3)


def test_bad_minima() -> None:
    with pytest.raises(ValueError, match=r"radius must be in \(0, inf\), got 0"):
        plotting.FlatMinimaDisplay.from_models({"net": network()}, X, Y, radius=0)
    with pytest.raises(ValueError, match="points must be an integer >= 3, got 2"):
        plotting.FlatMinimaDisplay.from_models({"net": network()}, X, Y, points=2)
    with pytest.raises(ValueError, match=r"losses must have shape \(directions, 3\), got \(2, 4\) of 'net'"):
        plotting.FlatMinimaDisplay(np.zeros(3), {"net": np.zeros((2, 4))})


# --- schedules ------------------------------------------------------------------------------------------------------


def test_schedules_are_drawn_step_by_step() -> None:
    cosine = schedules.CosineDecay(0.1, 10)
    display = plotting.ScheduleDisplay.from_schedule({"cosine": cosine, "step": schedules.StepDecay(0.1, 5)}, 11)
    np.testing.assert_allclose(display.rates["cosine"], [float(cosine(step)) for step in range(11)])
    display.plot()
    np.testing.assert_array_equal(display.ax_.lines[0].get_xdata(), range(11))
    one = plotting.ScheduleDisplay.from_schedule(cosine, 100_000)
    assert list(one.rates) == ["CosineDecay"]
    assert len(one.steps) == 2000
    assert one.steps[-1] == 99_999
    one.plot(log=True)
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        plotting.ScheduleDisplay.from_schedule(cosine, 0)
    with pytest.raises(ValueError, match="learning_rate must be"):
        plotting.ScheduleDisplay.from_schedule("cosine", 5)  # type: ignore[arg-type]
