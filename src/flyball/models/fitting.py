"""``fit``: epochs of training, with validation, callbacks and progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from flyball import _checks
from flyball import callbacks as callbacks_module
from flyball.data import DEFAULT_BATCH_SIZE
from flyball.models.compilation import Compilation
from flyball.models.run import Run
from flyball.progress import make_progress
from flyball.training import Evaluator, Trainer, batch_statistics_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.callbacks import Callback, CallbackList, History
    from flyball.models.sequential import Sequential


class Fitting(Compilation):
    """A model that learns."""

    stop_training: bool = False
    history: History | None = None
    _epochs: int = 0
    _run: Run | None = None

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        *,
        initial_epoch: int = 0,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train for ``epochs - initial_epoch`` epochs and return what was recorded.

        Parameters
        ----------
        x : array (samples, features)
            Float, integer or bool; converted on the way into each batch. Memory-mapped arrays are welcome.
        y : array
            What the loss expects: labels (samples,), distributions or values (samples, outputs).
        batch_size : int, optional
            Samples a step; 32 by default. Where a layer needs batch statistics, a last batch of a single sample joins
            the batch before it.
        epochs : int
            Epoch to stop at.
        verbose : {"auto", 0, 1, 2}
            0 is silent, 1 a line that moves, 2 a line per epoch; "auto" is 1 on a terminal and else 2.
        callbacks : sequence of Callback, optional
        validation_split : float in [0, 1)
            Share of the samples, taken from the end before shuffling, that is kept for validation.
        validation_data : pair (x, y), optional
            Takes precedence over ``validation_split``.
        shuffle : bool
            Whether each epoch goes through the samples in another order.
        initial_epoch : int
            Epoch to start at, when a run is resumed.
        validation_batch_size : int, optional
        validation_freq : int
            Epochs between validations.

        Returns
        -------
        History
            ``history.history`` maps each name (``loss``, metrics, ``val_...``) to its value an epoch.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described; the model is unchanged.
        KeyboardInterrupt
            At Ctrl-C, within a tenth of a second; the model is as the last finished step left it.
        """
        loss, optimizer = self._require_compiled()
        epochs = _checks.integer("epochs", epochs, 1)
        validation_freq = _checks.integer("validation_freq", validation_freq, 1)
        batch_size = DEFAULT_BATCH_SIZE if batch_size is None else _checks.integer("batch_size", batch_size, 1)
        initial_epoch = _checks.integer("initial_epoch", initial_epoch)
        if validation_batch_size is not None:
            validation_batch_size = _checks.integer("validation_batch_size", validation_batch_size, 1)
        validation_split = _checks.number("validation_split", validation_split, "[0, 1)")
        samples, targets = self._prepare("x", x, "y", y)
        validation = None
        if validation_data is not None:
            if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
                msg = f"validation_data must be a pair (x, y), got {type(validation_data).__name__}"
                raise ValueError(msg)
            validation = self._prepare(
                "validation_data[0]", validation_data[0], "validation_data[1]", validation_data[1]
            )
        elif validation_split > 0.0:
            split = int(len(samples) * (1.0 - validation_split))
            if split in (0, len(samples)):
                msg = f"validation_split must leave samples on both sides of {len(samples)}, got {validation_split}"
                raise ValueError(msg)
            validation = samples[split:], targets[split:]
            samples, targets = samples[:split], targets[:split]
        nodes = self._nodes()
        needs_batches = batch_statistics_layer(nodes)
        if needs_batches is not None:
            for name, value in (("batch_size", batch_size), ("rows of x", len(samples))):
                if value < 2:
                    msg = f"{name} must be at least 2 for the batch statistics of layer {needs_batches!r}, got {value}"
                    raise ValueError(msg)

        memory = self._require_built()
        trainer = Trainer(nodes, memory, loss, optimizer, samples, targets, batch_size, self._seed)
        evaluator = Evaluator(nodes, memory, loss, *validation, validation_batch_size) if validation else None
        self.history = callbacks_module.History()
        self.stop_training = False
        watchers = callbacks_module.CallbackList([*(callbacks or ()), self.history], cast("Sequential", self))
        watchers.set_params({"epochs": epochs, "steps": trainer.steps, "verbose": verbose})
        line = make_progress(verbose, epochs, trainer.steps)
        batches = _Batches(self, watchers) if watchers.wants_batches else None
        run = self._run = Run(trainer, initial_epoch, self._epochs)
        logs: dict[str, float] | None = None
        trainer.start()
        try:
            watchers.on_train_begin()
            try:
                while run.epoch < epochs and not self.stop_training:
                    epoch = run.epoch
                    watchers.on_epoch_begin(epoch)
                    if callbacks:  # they may have changed what the Program is made of
                        trainer.refresh(self._nodes(), self._seed)
                    started = time.perf_counter()
                    line.begin_epoch(epoch)
                    position = run.begin_epoch(self._epochs)
                    means = trainer.run_epoch(
                        self._epochs, shuffle=shuffle, progress=line.update, watcher=batches, position=position
                    )
                    self._epochs += 1
                    logs = self._report(means)
                    if evaluator is not None and (epoch + 1) % validation_freq == 0:
                        logs |= {f"val_{name}": value for name, value in self._report(evaluator.run()).items()}
                    run.end_epoch()
                    line.end_epoch(logs, time.perf_counter() - started)
                    watchers.on_epoch_end(epoch, logs)
                trainer.finish()
                watchers.completed = True
            finally:
                line.close()
                watchers.on_train_end(logs)
        finally:
            self._run = None
        return self.history


class _Batches:
    """Hands the steps of an epoch to the callbacks."""

    def __init__(self, model: Fitting, watchers: CallbackList) -> None:
        self._model, self._watchers = model, watchers

    def before(self, step: int) -> None:
        self._watchers.on_train_batch_begin(step)

    def after(self, step: int, means: dict[str, float]) -> bool:
        self._watchers.on_train_batch_end(step, self._model._report(means))
        return not self._model.stop_training
