"""``fit``: epochs of training, with validation, callbacks and progress."""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from flyball import _checks
from flyball import callbacks as callbacks_module
from flyball.callbacks.base import as_list
from flyball.data import DEFAULT_BATCH_SIZE, DataSet, first_steps
from flyball.models.feeding import Feeding, refuse_beside_batches
from flyball.models.run import Run
from flyball.progress import make_progress
from flyball.training import (
    BatchSource,
    EpochEnds,
    StreamTrainer,
    Trainer,
    are_batches,
    finish,
    require_batches,
    start,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flyball.callbacks import Callback, History, TerminateOnNaN
    from flyball.models.sequential import Sequential
    from flyball.progress import Progress
    from flyball.sample_weights import ClassWeights
    from flyball.training import Evaluator, StreamEvaluator


class Fitting(Feeding):
    """A model that learns."""

    stop_training: bool = False
    history: History | None = None
    _epochs: int = 0
    _run: Run | None = None

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
        *,
        terminate_on_nan: bool = True,
        **unknown: Any,
    ) -> History:
        """Train for ``epochs - initial_epoch`` epochs and return what was recorded.

        Parameters
        ----------
        x : array (samples, ...), or batches
            Floats, integers or bools; converted on the way into each batch, without a copy of the data set.
            Memory-mapped arrays are welcome, as are data frames of pandas and polars, tables of pyarrow, tensors of
            torch, and lists. Or, without ``y``, batches ``(x, y)`` or ``(x, y, sample_weight)``: a
            :class:`flyball.utils.PyDataset` or anything else with a length and indices, a generator, a loader, or any
            other iterable. Arrays are trained on without Python between the steps, batches one by one.
        y : array
            What the loss expects: labels (samples,), distributions or values (samples, outputs).
        batch_size : int, optional
            Samples a step; 32 by default. Where a layer needs batch statistics, a last batch of a single sample joins
            the batch before it.
        epochs : int
            Epoch to stop at.
        verbose : {"auto", 0, 1, 2}
            0 is silent, 1 a line that moves, 2 a line per epoch; "auto" is 1 on a terminal and else 2.
        callbacks : Callback or sequence of Callback, optional
        validation_split : float in [0, 1)
            Share of the samples, taken from the end before shuffling, that is kept for validation.
        validation_data : tuple (x, y) or (x, y, sample_weight), or batches, optional
            Takes precedence over ``validation_split``.
        shuffle : bool
            Whether each epoch goes through the samples in another order; of batches that have indices, through the
            batches. Without effect on iterables.
        class_weight : dict of int to float, optional
            What a sample of a class counts in the loss of training; 1 where a class is not named.
        sample_weight : array (samples,) or (samples, positions), optional
            What each sample counts: the loss of a batch is the mean of ``weight * loss`` over its samples, whatever
            the weights add up to. Of outputs of several axes, (samples, steps, classes) say, each vector along the last
            one may have a weight of its own, (samples, steps). Metrics are not weighted.
        initial_epoch : int
            Epoch to start at, when a run is resumed.
        steps_per_epoch : int, optional
            Steps an epoch has; the next one goes on where it ended. Where data with an end run out, the epoch ends
            with a warning, and the next begins anew; where an iterator does, training ends. Without ``batch_size`` it
            cuts arrays into that many batches.
        validation_steps : int, optional
            Batches to validate on; all by default. Those of an array have ``validation_batch_size`` samples.
        validation_batch_size : int, optional
            Samples to look at at a time; by default as many as are fast. The result does not depend on it.
        validation_freq : int or collection of int
            Epochs between validations, or the epochs, counted from 1, after which there is one.
        terminate_on_nan : bool
            Whether a training that diverges is stopped, and said where it first went wrong; see
            :class:`flyball.callbacks.TerminateOnNaN`.
        **unknown
            Refused by name.

        Returns
        -------
        History
            ``history.history`` maps each name (``loss``, metrics, ``val_...``) to its value an epoch.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described; the model is unchanged. A batch that cannot be trained on ends the
            training when it comes; the model is as the last finished step left it.
        RuntimeError
            If the model is in training already.
        KeyboardInterrupt
            At Ctrl-C, within a tenth of a second; the model is as the last finished step left it.
        """
        _checks.no_more_arguments("fit", unknown, Fitting.fit)
        self._require_own_optimizer()
        if self._run is not None:
            msg = "a model must be in one fit at a time, got a call of fit while another runs"
            raise RuntimeError(msg)
        epochs = _checks.integer("epochs", epochs, 1)
        validated = _validated(validation_freq)
        initial_epoch = _checks.integer("initial_epoch", initial_epoch)
        batch_size = _checks.optional_count("batch_size", batch_size)
        steps_per_epoch = _checks.optional_count("steps_per_epoch", steps_per_epoch)
        validation_batch_size = _checks.optional_count("validation_batch_size", validation_batch_size)
        validation_steps = _checks.optional_count("validation_steps", validation_steps)
        validation_split = _checks.number("validation_split", validation_split, "[0, 1)")
        shuffle = _checks.flag("shuffle", shuffle)
        terminate_on_nan = _checks.flag("terminate_on_nan", terminate_on_nan)
        listed = as_list(callbacks)
        with self._unbuilt_on_error():
            class_weights = self._class_weights(class_weight, sample_weight)
            make_trainer: Callable[[], Trainer | StreamTrainer]
            if are_batches(x, lists=y is None):
                given = {"y": y, "sample_weight": sample_weight, "batch_size": batch_size}
                refuse_beside_batches("x", given | {"validation_split": validation_split or None})
                make_trainer, held_out = self._on_batches(x, class_weights, steps_per_epoch), None
            else:
                data = self._data_set(x, y, sample_weight, class_weights)
                data, held_out = _split(data, 0.0 if validation_data is not None else validation_split)
                if held_out is not None and class_weights is not None:
                    held_out = DataSet(held_out.x, held_out.y)
                make_trainer = self._on_arrays(data, batch_size, steps_per_epoch)
            if validation_data is None:
                validation: DataSet | BatchSource | None = held_out
            else:
                several = sum(map(validated, range(initial_epoch, epochs))) > 1
                validation = self._validation(validation_data, validation_steps, several=several)
            guards = [callback for callback in listed if isinstance(callback, callbacks_module.TerminateOnNaN)]
            own_guards = [callbacks_module.TerminateOnNaN()] if terminate_on_nan and not guards else []
            history = callbacks_module.History()
            watchers = callbacks_module.CallbackList([*listed, *own_guards, history], cast("Sequential", self))
            watcher = watchers.watcher("train", self._report)
            tester = None if validation is None else watchers.watcher("test", self._report)
            if isinstance(validation, DataSet):
                batch = validation_batch_size or batch_size
                validation = first_steps(validation, batch, validation_steps, "validation_steps")
                if tester is not None:  # hooks count Keras' batches
                    validation_batch_size = batch or DEFAULT_BATCH_SIZE

            def make() -> tuple[Trainer | StreamTrainer, Evaluator | StreamEvaluator | None]:
                if isinstance(validation, DataSet):
                    return make_trainer(), self._evaluator(validation, validation_batch_size)
                return make_trainer(), None if validation is None else self._stream_evaluator(validation)

            trainer, evaluator = make()
        programs = self._programs
        self.history = history
        self.stop_training = False
        watchers.set_params({"epochs": epochs, "steps": trainer.steps, "verbose": verbose})
        line = make_progress(verbose, epochs, trainer.steps)
        progress = _progress(line, [*own_guards, *guards])
        run = self._run = Run(trainer, initial_epoch, self._epochs)
        logs: dict[str, float] | None = None
        try:
            watchers.on_train_begin()
            start(self._require_built(), self._require_compiled()[1])  # who refuses the run leaves the model as it is
            try:
                while run.epoch < epochs and not self.stop_training:
                    epoch = run.epoch
                    watchers.on_epoch_begin(epoch)
                    if programs != self._programs:  # a callback has built or compiled the model anew
                        (run.trainer, evaluator), programs = make(), self._programs
                    elif listed:  # they may have changed what the Program is made of
                        self._require_own_optimizer()
                        run.trainer.refresh(self._known_nodes(), self._seed)
                    started = time.perf_counter()
                    line.begin_epoch(epoch)
                    run.begin_epoch(self._epochs)
                    means = run.trainer.run_epoch(
                        self._epochs,
                        epoch,
                        shuffle=shuffle,
                        progress=progress,
                        watcher=watcher,
                        position=run.position,
                    )
                    if means is None:  # an iterator had nothing left
                        break
                    self._epochs += 1
                    logs = self._report(means)
                    if evaluator is not None and validated(epoch):
                        found: dict[str, float] = {}
                        self.stop_evaluating = False
                        with watchers.testing(found):
                            found.update(self._report(evaluator.run(tester)))
                        logs |= {f"val_{name}": value for name, value in found.items()}
                    line.end_epoch(logs, time.perf_counter() - started)
                    run.end_epoch()
                    watchers.on_epoch_end(epoch, logs)
                    if run.trainer.exhausted:
                        _warn_of_end(epoch, epochs, steps_per_epoch)
                        break
                finish(self._require_built(), self._require_compiled()[1])
                watchers.completed = True
            finally:
                line.close()
                watchers.on_train_end(logs)
        finally:
            self._run = None
            watchers.release()
            run.trainer.release()
            if evaluator is not None:
                evaluator.release()
        return self.history

    # --- what an epoch runs on ---------------------------------------------------------------------------------------

    def _on_arrays(self, data: DataSet, batch_size: int | None, steps: int | None) -> Callable[[], Trainer]:
        if batch_size is None:
            batch_size = DEFAULT_BATCH_SIZE if steps is None else -(-len(data) // steps)
        rows = batch_size

        def make() -> Trainer:
            _, optimizer = self._require_compiled()
            nodes, memory, goal = self._known_nodes(), self._require_built(), self._goal()
            require_batches(nodes, {"batch_size": rows, "rows of x": len(data)})
            return Trainer(nodes, memory, goal, optimizer, data, rows, self._seed, steps, self._shelf)

        return make

    def _on_batches(self, x: Any, class_weights: ClassWeights | None, steps: int | None) -> Callable[[], StreamTrainer]:
        source = BatchSource("x", x, steps, seed=self._seed)

        def prepare(name: str, batch: Any) -> DataSet:
            return self._batch(name, batch, class_weights)

        if not self.built:
            prepare("x[0]", source.first())
        return lambda: StreamTrainer(source, prepare, self._batch_trainer())

    def _validation(self, given: Any, steps: int | None, *, several: bool) -> DataSet | BatchSource:
        name = "validation_data"
        if are_batches(given):
            if several and steps is None and hasattr(given, "__next__"):
                expectation = "something that can be gone through again after each epoch, or validation_steps given"
                msg = f"{name} must be {expectation}, got {type(given).__name__}, which is empty after the first"
                raise ValueError(msg)
            source = BatchSource(name, given, steps, steps_name="validation_steps")
            if not self.built:
                self._batch(f"{name}[0]", source.first())
            return source
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            expectation = "a tuple (x, y) or (x, y, sample_weight), or batches"
            msg = f"{name} must be {expectation}, got {type(given).__name__}"
            raise ValueError(msg)
        x, y, weights = unpacked(name, given)
        return self._data_set(x, y, weights, within=name)


def _validated(freq: int | Collection[int]) -> Callable[[int], bool]:
    """Return what says whether a validation follows an epoch, counted from 0."""
    if not isinstance(freq, Collection) or isinstance(freq, (str, bytes)):
        period = _checks.integer("validation_freq", freq, 1)
        return lambda epoch: (epoch + 1) % period == 0
    epochs = {_checks.integer("validation_freq", epoch, 1) for epoch in freq}
    return lambda epoch: epoch + 1 in epochs


def _progress(line: Progress, guards: Sequence[TerminateOnNaN]) -> Callable[[int], None]:
    """Return what is told of progress: the line, and those who may end the epoch."""

    def report(done: int) -> None:
        line.update(done)
        for guard in guards:
            if not guard.on_progress(done):
                raise EpochEnds

    return report


def _split(data: DataSet, share: float) -> tuple[DataSet, DataSet | None]:
    """Return what to train on, and the last ``share`` of the samples, which is kept for validation."""
    if share == 0.0:
        return data, None
    split = int(len(data) * (1.0 - share))
    if split in (0, len(data)):
        msg = f"validation_split must leave samples on both sides of {len(data)}, got {share}"
        raise ValueError(msg)
    return data[:split], data[split:]


def _warn_of_end(epoch: int, epochs: int, steps: int | None) -> None:
    if epoch + 1 < epochs and steps is None:
        msg = f"x must give batches for {epochs} epochs, got an iterator that ended in epoch {epoch + 1}: training ends"
        warnings.warn(msg, UserWarning, stacklevel=3)
