"""Pictures: what Displays compute, what they draw, and what they refuse."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import flyball as fb
from flyball import callbacks, layers, plotting

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def data(rows: int = 60) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int)


def network(*hidden: Any) -> fb.Sequential:
    fb.utils.set_random_seed(0)
    model = fb.Sequential([layers.Input((4,)), *hidden, layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


# --- learning curves ------------------------------------------------------------------------------------------------


def test_learning_curves_of_a_fit() -> None:
    x, y = data()
    history = network(layers.Dense(8, activation="relu")).fit(x, y, epochs=5, validation_split=0.2, verbose=0)
    display = plotting.LearningCurveDisplay.from_history(history)
    assert display.metrics == ["loss", "accuracy"]
    assert display.best_epochs == {"": int(np.argmin(history.history["val_loss"])) + 1}
    assert display.plot() is display
    assert len(display.ax_) == 2
    assert display.figure_ is display.ax_[0].figure
    drawn = {tuple(line.get_ydata()) for line in display.ax_[0].lines}
    assert {tuple(history.history["loss"]), tuple(history.history["val_loss"])} <= drawn
    assert display.ax_[0].get_yscale() == "log"
    assert display.ax_[1].get_yscale() == "linear"
    assert {"training", "validation"} <= set(texts(display.ax_[0]))


def test_the_stopping_point_is_drawn_where_training_was_stopped() -> None:
    x, y = data()
    rising = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    stop = callbacks.EarlyStopping(monitor="val_accuracy", patience=2)
    history = network(layers.Dense(8)).fit(
        x, y, epochs=200, validation_data=(x, y), verbose=0, callbacks=[stop, rising]
    )
    assert len(history.epoch) < 200
    display = plotting.LearningCurveDisplay.from_history(history, monitor="val_accuracy")
    assert display.best_epochs[""] == stop.best_epoch + 1
    assert display.stopped == [""]
    display.plot(metrics="loss")
    assert f"best epoch {stop.best_epoch + 1},\nstopped at {len(history.epoch)}" in texts(display.ax_)
    assert display.ax_.lines[-1].get_xdata()[0] == stop.best_epoch + 1
    finished = network().fit(x, y, epochs=2, validation_data=(x, y), verbose=0)
    assert plotting.LearningCurveDisplay.from_history(finished).stopped == []


def test_several_runs_have_a_colour_and_a_label_each() -> None:
    runs = {"a": {"loss": [3.0, 2.0], "val_loss": [3.0, 2.5]}, "b": {"loss": [3.0, 1.0, 0.5]}}
    figure, ax = pyplot.subplots()
    display = plotting.LearningCurveDisplay.from_history(runs).plot(ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.best_epochs == {"a": 2}
    assert {"a, training", "a, validation", "b, training"} <= set(texts(ax))
    a, validation, b = ax.lines[:3]
    assert a.get_color() == validation.get_color() != b.get_color()


def test_training_alone_is_drawn_solid_under_the_runs_names() -> None:
    ax = plotting.LearningCurveDisplay({"a": {"loss": [2.0, 1.0]}, "b": {"loss": [3.0, 1.0]}}).plot().ax_
    assert set(texts(ax)) == {"a", "b"}
    assert {line.get_linestyle() for line in ax.lines} == {"-"}
    alone = plotting.LearningCurveDisplay({"": {"loss": [2.0, 1.0]}}).plot().ax_
    assert texts(alone) == ["training"]


def test_validations_of_every_second_epoch() -> None:
    x, y = data()
    history = network().fit(x, y, epochs=5, validation_data=(x, y), validation_freq=2, verbose=0)
    for display in (
        plotting.LearningCurveDisplay.from_history(history),  # which knows its epochs
        plotting.LearningCurveDisplay.from_history(history.history, validation_freq=2),
    ):
        assert np.isnan(display.curves[""]["val_loss"]).tolist() == [True, False, True, False, True]
        display.plot(metrics="loss")
        np.testing.assert_array_equal(display.ax_.lines[1].get_xdata(), [2, 4])
    with pytest.raises(ValueError, match=r"must be what fit was given, and 'val_.*' has 2 values in 5 epochs, got 1"):
        plotting.LearningCurveDisplay.from_history(history.history)


def test_validations_of_some_epochs_in_a_resumed_run(tmp_path) -> None:
    x, y = data()
    model = network()
    model.fit(x, y, epochs=3, validation_data=(x, y), verbose=0)
    options = {"initial_epoch": 3, "epochs": 8, "validation_data": (x, y), "validation_freq": [4, 7], "verbose": 0}
    live = callbacks.LiveCurve(tmp_path / "c.png", seconds=0)
    history = model.fit(x, y, callbacks=[live], **options)
    display = plotting.LearningCurveDisplay.from_history(history)
    assert np.isnan(display.curves[""]["val_loss"]).tolist() == [False, True, True, False, True]
    assert history.epochs["val_loss"] == [3, 6]
    assert history.epochs["loss"] == history.epoch == [3, 4, 5, 6, 7]


def test_a_resumed_run_begins_where_it_was_resumed() -> None:
    x, y = data()
    history = network().fit(x, y, epochs=7, initial_epoch=4, verbose=0)
    display = plotting.LearningCurveDisplay.from_history(history).plot(metrics=["accuracy"], log=False)
    np.testing.assert_array_equal(display.epochs[""], [5, 6, 7])
    assert display.ax_.get_xlim()[0] == 5


def test_labels_of_curves_do_not_meet() -> None:
    runs = {name: {"loss": [1.0, 0.5 + 0.001 * i]} for i, name in enumerate("abcd")}
    ax = plotting.LearningCurveDisplay(runs).plot().ax_
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert len(heights) == 4
    assert np.diff(heights).min() > 0.05
    apart = {f"{i}": {"loss": [1.0, 1e-3 * (1 + 1e-3 * i)]} for i in range(5)} | {"top": {"loss": [1.0, 1e3]}}
    ax = plotting.LearningCurveDisplay(apart).plot().ax_
    places = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert min(places.values()) > 0
    assert 0.9 < places["top"] < 1  # at its curve's end, whatever the others are pushed by


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ({}, {}, "history must be a History, its values, or several by name, got {}"),
        ([1.0], {}, "history must be a History"),
        ({"loss": []}, {}, "curves must have an epoch, got none of run ''"),
        ({"a": {"loss": [1.0]}, "loss": [1.0]}, {}, "history must be a History"),
        ({"loss": [1.0]}, {"validation_freq": 0}, "validation_freq must be a positive integer, got 0"),
        ({"loss": [1.0]}, {"mode": "best", "monitor": "loss"}, "mode must be one of auto, min, max, got 'best'"),
        ({"loss": [1.0, 2.0], "accuracy": [1.0]}, {}, "'accuracy' has 1 values in 2 epochs"),
    ],
)
def test_bad_histories(history: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plotting.LearningCurveDisplay.from_history(history, **options)


def test_bad_curves() -> None:
    with pytest.raises(ValueError, match="curves must have a run with a quantity"):
        plotting.LearningCurveDisplay({})
    with pytest.raises(ValueError, match=r"curves must have one value for each of the 2 epochs, got \(1,\) of 'b'"):
        plotting.LearningCurveDisplay({"run": {"a": [1.0, 2.0], "b": [1.0]}})
    with pytest.raises(ValueError, match="best_epochs must name an epoch of a run, got 2 of 'run'"):
        plotting.LearningCurveDisplay({"run": {"loss": [1.0]}}, best_epochs={"run": 2})
    display = plotting.LearningCurveDisplay({"run": {"loss": [1.0], "accuracy": [1.0]}})
    with pytest.raises(ValueError, match="metrics must be one of loss, accuracy, learning_rate, got 'los'; did you"):
        display.plot(metrics="los")
    with pytest.raises(ValueError, match="ax must be one axes or 2, one for each panel, got 3"):
        display.plot(pyplot.subplots(1, 3)[1])
    with pytest.raises(ValueError, match="stopped must be one of run, got 'other'"):
        plotting.LearningCurveDisplay({"run": {"loss": [1.0]}}, stopped=["other"])


def test_two_panels_share_the_place_of_one() -> None:
    _, (left, right) = pyplot.subplots(1, 2)
    display = plotting.LearningCurveDisplay({"run": {"loss": [1.0], "accuracy": [1.0]}}).plot(right)
    assert len(display.ax_) == 2
    assert display.figure_ is left.figure


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'plot needs matplotlib.*pip install "flyball\[plot\]"'):
        plotting.LearningCurveDisplay({"run": {"loss": [1.0]}}).plot()
