"""One training watched and steered while it runs: the panda's way, as against the caviar's of many at once."""

from __future__ import annotations

import queue
import shlex
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import _checks, regularizers
from flyball.callbacks.base import Callback
from flyball.callbacks.monitoring import check_verbose, say
from flyball.saving import checkpoint

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from flyball.callbacks.base import Logs
    from flyball.layers import Layer
    from flyball.models import Sequential
    from flyball.regularizers import Regularizer
    from flyball.saving.checkpoint import Checkpoint

    Command = tuple[str, Callable[[], None]]

POLL = 0.1
"""Seconds between two looks while a training pauses."""


class Steering(Callback):
    """Watch a running ``fit`` and steer it: from another thread, from a notebook's next cell, or through a file.

    What is asked for is done when the epoch that runs is over, in the order in which it was asked: a new learning rate,
    another penalty, a step back to the end of an earlier epoch, a pause, a file, the end. Epochs are counted from 1, as
    ``fit`` shows them.

    Parameters
    ----------
    path : path, optional
        A text file to look into after each epoch. Each line that is appended is one command, the name of a method and
        its arguments: ``learning_rate 0.001``, ``regularizer dense l2 0.01``, ``go_back 12``, ``pause``, ``proceed``,
        ``proceed 5``, ``save best.safetensors``, ``stop``. Lines that were there before the training are not looked
        at; a line that makes no sense is warned about.
    keep : int
        How many of the last epochs can be stepped back to; each is kept in memory with the optimizer's state.
    verbose : {0, 1}
        Whether to say what is done.

    Attributes
    ----------
    epoch : int
        Epochs that are over.
    logs : dict
        What the last of them came to.
    epochs : list of int
        Epochs that can be stepped back to; 0 is the state before the first.
    done : list of (int, str)
        After which epoch what was done.

    Notes
    -----
    A step back takes all with it: weights and running statistics, the optimizer's arrays, step count and settings,
    regularizers, the order of samples to come, the history, and what the other callbacks remember. Epochs that are run
    again without a change come to the same bits.

    Examples
    --------
    In a notebook, with the training in a thread of its own:

    >>> panda = flyball.callbacks.Steering()  # doctest: +SKIP
    >>> curve = flyball.callbacks.LiveCurve("curve.png")  # doctest: +SKIP
    >>> run = threading.Thread(target=model.fit, args=(x, y), kwargs={"epochs": 100, "callbacks": [panda, curve]})
    ... # doctest: +SKIP
    >>> run.start()  # doctest: +SKIP
    >>> panda.pause()  # doctest: +SKIP
    >>> panda.wait()  # doctest: +SKIP
    >>> panda.go_back(12)  # doctest: +SKIP
    >>> panda.learning_rate(1e-4)  # doctest: +SKIP
    >>> panda.regularizer("dense", flyball.regularizers.L2(1e-3))  # doctest: +SKIP
    >>> panda.proceed()  # doctest: +SKIP

    From a shell: ``echo "learning_rate 1e-4" >> steer.txt``, with ``Steering("steer.txt")``.
    """

    runs_last = True

    def __init__(self, path: str | os.PathLike[str] | None = None, keep: int = 10, verbose: int = 0) -> None:
        self.path = None if path is None else Path(path)
        self.keep = _checks.integer("keep", keep)
        self.verbose = check_verbose(verbose)
        self._asked: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._kept: dict[int, Checkpoint] = {}
        self._read = 0
        self._paused = False
        self._left: int | None = None
        self._idle = threading.Event()
        self._lock = threading.Lock()
        self.epoch = 0
        self.logs: dict[str, float] = {}
        self.done: list[tuple[int, str]] = []

    @property
    def epochs(self) -> list[int]:
        """Epochs that can be stepped back to."""
        return sorted(self._kept)

    # --- commands ----------------------------------------------------------------------------------------------------

    def learning_rate(self, value: float) -> None:
        """Set the optimizer's learning rate."""
        value = _checks.number("learning_rate", value, "[0, inf)")

        def act() -> None:
            if self.model.optimizer is not None:
                self.model.optimizer.learning_rate = value

        self._ask(f"learning_rate {value:g}", act)

    def regularizer(self, layer: str, regularizer: str | Regularizer | None, *factors: float) -> None:
        """Set a penalty.

        Parameters
        ----------
        layer : str
            A layer's name, for its kernel, or with the weight: ``"dense/bias"``; those inside other layers have names
            too. ``"*"`` is the penalty of the whole model, as of ``compile(regularizer=)``.
        regularizer : str, Regularizer or None
            As for the layer's constructor; None, or "none", takes the penalty away.
        *factors : float
            Arguments of a regularizer that is given by its name: ``"l2", 0.01``.
        """
        name, _, weight = layer.partition("/")
        attribute = "regularizer" if layer == "*" else f"{weight or 'kernel'}_regularizer"
        if isinstance(regularizer, str) and regularizer != "none" and factors:
            make: Any = type(regularizers.REGISTRY.get(regularizer))
            regularizer = make(*factors)
        elif factors:
            _checks.refuse("factors", "given with the name of a regularizer only", factors)
        chosen = None if regularizer == "none" else regularizers.get(regularizer)
        if hasattr(self, "model"):
            self._holder(name, attribute)
        self._ask(f"regularizer {layer} {chosen!r}", lambda: setattr(self._holder(name, attribute), attribute, chosen))

    def go_back(self, epoch: int) -> None:
        """Step back to the end of ``epoch``, one of :attr:`epochs`; the next one is ``epoch + 1``."""
        epoch = _checks.integer("epoch", epoch)
        self._require_kept(epoch)
        self._ask(f"go_back {epoch}", lambda: self._go_back(epoch))

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the model to a file, as :meth:`flyball.Sequential.save` does."""
        self._ask(f"save {filepath}", lambda: self.model.save(Path(filepath)))

    def pause(self) -> None:
        """Wait after the epoch that runs, until :meth:`proceed`."""
        self._ask("pause", lambda: setattr(self, "_paused", True))

    def proceed(self, epochs: int | None = None) -> None:
        """Go on after a pause, for so many epochs, or to the end."""
        epochs = _checks.optional_count("epochs", epochs)

        def act() -> None:
            self._paused, self._left = False, epochs

        self._ask("proceed" if epochs is None else f"proceed {epochs}", act)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all that was asked for is done and the training pauses or is over; return whether it does.

        For another thread than the training's; ``timeout`` is in seconds.
        """
        return self._idle.wait(timeout)

    def stop(self) -> None:
        """End the training."""
        self._ask("stop", lambda: setattr(self.model, "stop_training", True))

    # --- hooks -------------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin to look at the file at its end."""
        del logs
        self._kept, self.done, self._paused, self._left = {}, [], False, None
        self._read = self.path.stat().st_size if self.path is not None and self.path.exists() else 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before the first epoch, keep the state it begins with."""
        del logs
        if not self._kept:
            self.epoch = epoch
            self._keep(epoch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep the state, and do what was asked."""
        self.epoch, self.logs = epoch + 1, dict(logs or {})
        self._keep(self.epoch)
        if self._left is not None:
            self._left -= 1
            self._paused = self._left == 0
        self._act()
        while self._paused and not self.model.stop_training:
            with self._lock:
                if self._asked.empty():
                    self._idle.set()
            time.sleep(POLL)
            self._act()

    def on_train_end(self, logs: Logs = None) -> None:
        """Let the memory go: there is nothing left to step back in."""
        del logs
        self._kept = {}
        self._idle.set()

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _ask(self, text: str, act: Callable[[], None]) -> None:
        with self._lock:
            self._idle.clear()
            self._asked.put((text, act))

    def _act(self) -> None:
        self._read_file()
        while not self._asked.empty():
            text, act = self._asked.get()
            try:
                act()
            except (ValueError, OSError) as error:  # a mistake must not cost the training
                warnings.warn(f"steering: {text}: {error}", UserWarning, stacklevel=2)
                continue
            self.done.append((self.epoch, text))
            if self.verbose:
                say(f"Epoch {self.epoch}: {text}")

    def _read_file(self) -> None:
        if self.path is None or not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                self._command(line)

    def _command(self, line: str) -> None:
        try:
            name, *arguments = shlex.split(line)
            command = getattr(self, _checks.choice("command", name, _ARGUMENTS))
            kinds = _ARGUMENTS[name]
            values: list[Any] = [kind(value) for kind, value in zip(kinds, arguments, strict=name not in _OPTIONAL)]
            command(*values)
        except (ValueError, TypeError) as error:
            warnings.warn(f"steering: {line!r} makes no sense: {error}", UserWarning, stacklevel=2)

    def _holder(self, name: str, attribute: str) -> Layer | Sequential:
        if name == "*":
            return self.model
        layers = {layer.name: layer for layer in self.model._flat_layers() if attribute in layer.regularizers()}
        return layers[_checks.choice("layer", name, layers)]

    def _keep(self, epoch: int) -> None:
        self._kept[epoch] = checkpoint.capture(self.model, self._watchers.get_states())
        for old in self.epochs[: -1 - self.keep]:
            del self._kept[old]

    def _require_kept(self, epoch: int) -> None:
        if epoch not in self._kept:
            _checks.refuse("epoch", f"one of {', '.join(map(str, self.epochs)) or 'none, before training'}", epoch)

    def _go_back(self, epoch: int) -> None:
        self._require_kept(epoch)
        saved = self._kept[epoch]
        checkpoint.restore(self.model, saved)
        self._watchers.set_states(saved.callbacks)
        self._kept = {kept: state for kept, state in self._kept.items() if kept <= epoch}
        self.epoch = epoch


_ARGUMENTS: dict[str, tuple[Callable[[str], Any], ...]] = {
    "learning_rate": (float,),
    "regularizer": (str, str, float, float),
    "go_back": (int,),
    "save": (str,),
    "pause": (),
    "proceed": (int,),
    "stop": (),
}
_OPTIONAL = ("regularizer", "proceed")
"""Commands whose last arguments may be missing."""
