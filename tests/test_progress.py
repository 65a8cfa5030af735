"""The progress line of ``fit``."""

from __future__ import annotations

import io
import re

import pytest

from flyball.progress import EpochLines, MovingLine, Silent, make_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("verbose", "stream", "kind"),
    [
        (0, Terminal(), Silent),
        (False, Terminal(), Silent),
        (1, Terminal(), MovingLine),
        (True, Terminal(), MovingLine),
        ("auto", Terminal(), MovingLine),
        (2, Terminal(), EpochLines),
        ("auto", io.StringIO(), EpochLines),
        (1, io.StringIO(), EpochLines),
        (0, io.StringIO(), Silent),
    ],
)
def test_what_verbose_means(verbose, stream, kind):
    assert type(make_progress(verbose, 3, 10, stream)) is kind


@pytest.mark.parametrize("verbose", [3, -1, "yes", None, 1.0])
def test_bad_verbose(verbose):
    message = f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        make_progress(verbose, 3, 10)


def test_lines_for_a_file():
    stream = io.StringIO()
    line = make_progress("auto", 12, 10, stream)
    for epoch in (0, 11):
        line.begin_epoch(epoch)
        line.update(5)
        line.end_epoch({"accuracy": 0.5, "loss": 1.25, "val_accuracy": 0.25, "val_loss": 1e-5}, 61.4)
    line.close()
    figures = "loss 1.2500  accuracy 0.5000  val_loss 1.000e-05  val_accuracy 0.2500  1 min 01 s"
    assert stream.getvalue() == f"epoch  1/12  {figures}\nepoch 12/12  {figures}\n"


def test_a_line_that_moves():
    stream, clock = Terminal(), Clock()
    line = MovingLine(2, 10, stream, clock)
    line.begin_epoch(0)
    clock.now = 2.0
    line.update(5)
    clock.now = 4.0
    line.end_epoch({"loss": 0.5}, 4.0)
    line.begin_epoch(1)
    clock.now = 8.0
    line.end_epoch({"loss": 0.25}, 4.0)
    line.close()
    rewrite = "\r\x1b[2K"
    assert stream.getvalue() == (
        f"{rewrite}epoch 1/2   50%  2.0 s, 6.0 s left"
        f"{rewrite}epoch 1/2  loss 0.5000  4.0 s, 4.0 s left\n"
        f"{rewrite}epoch 2/2  loss 0.2500  4.0 s\n"
    )


def test_time_left_of_a_resumed_run():
    stream, clock = Terminal(), Clock()
    line = MovingLine(10, 4, stream, clock)
    line.begin_epoch(8)
    clock.now = 3.0
    line.update(2)
    assert stream.getvalue().endswith("epoch  9/10   50%  3.0 s, 9.0 s left")


def test_an_interrupted_line_is_ended():
    stream = Terminal()
    line = make_progress(1, 2, 10, stream)
    line.begin_epoch(0)
    line.update(3)
    line.close()
    assert stream.getvalue().endswith("\n")
    line.close()
    assert stream.getvalue().count("\n") == 1


def test_a_long_line_is_cut_to_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    line = make_progress(1, 2, 10, stream)
    line.begin_epoch(0)
    line.end_epoch({"loss": 1.0, "a_metric_with_a_long_name": 1.0}, 1.0)
    assert len(stream.getvalue().removeprefix("\r\x1b[2K").rstrip("\n")) == 29


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "1 min 00 s"), (30, "30 s"), (7260, "2 h 01 min")]
)
def test_durations(seconds, text):
    stream = io.StringIO()
    EpochLines(1, 1, stream).end_epoch({"loss": float("nan")}, seconds)
    assert stream.getvalue() == f"epoch 1/1  loss nan  {text}\n"
