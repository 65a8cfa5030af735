"""A training for TensorBoard to show."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    import os

    from flyball.callbacks.base import Logs


class TensorBoard(Callback):
    """Write what happens in a training as TensorBoard's event files; ``tensorboard --logdir logs`` shows them.

    The files are written by tensorboardX: the extra ``tensorboard``. Neither TensorFlow nor PyTorch is needed.

    Parameters
    ----------
    log_dir : path
        Folder; its folders ``train`` and ``validation`` get ``epoch_loss`` and the other quantities over epochs.
    histogram_freq : int
        Epochs between histograms of all weights; 0 for none.
    write_graph : bool
        Whether the model's configuration is written as a text.
    write_images : bool
        Whether weights are drawn as images where histograms are written.
    write_steps_per_second : bool
        Whether to write how fast the training is.
    update_freq : "epoch", "batch" or int
        When quantities are written: after each epoch, or also after each step, or each so many steps, as
        ``batch_loss`` and so on over the optimizer's steps; training then returns to Python at every step.
    profile_batch, embeddings_freq : 0
        Not offered: ``model.profile()`` tells where the time of a step goes.

    Raises
    ------
    ImportError
        At the beginning of a training where tensorboardX is missing.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        self.log_dir = Path(log_dir)
        self.histogram_freq = _checks.integer("histogram_freq", histogram_freq)
        self.write_graph = _checks.flag("write_graph", write_graph)
        self.write_images = _checks.flag("write_images", write_images)
        self.write_steps_per_second = _checks.flag("write_steps_per_second", write_steps_per_second)
        if profile_batch:
            _checks.refuse("profile_batch", "0 (model.profile() tells where the time of a step goes)", profile_batch)
        if embeddings_freq or embeddings_metadata is not None:
            _checks.refuse("embeddings_freq", "0: there are no embeddings", embeddings_freq or embeddings_metadata)
        if isinstance(update_freq, str):
            _checks.choice("update_freq", update_freq, ("epoch", "batch"))
            self.update_freq = {"epoch": 0, "batch": 1}[update_freq]
        else:
            self.update_freq = _checks.integer("update_freq", update_freq, 1)
        self._writers: dict[str, Any] = {}
        self._began, self._first = 0.0, 0
        if self.update_freq:  # only then a hook of steps
            vars(self)["on_train_batch_end"] = self._after_step

    def on_train_begin(self, logs: Logs = None) -> None:
        """Find tensorboardX before the first epoch."""
        del logs
        _summary_writer()
        self._writers = {}
        if self.write_graph:
            text = json.dumps(self.model.get_config(), indent=2, default=str)
            self._writer("train").add_text("model", f"```json\n{text}\n```", 0)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Look at the clock."""
        del epoch, logs
        self._began, self._first = time.perf_counter(), self._steps

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch."""
        for name, value in (logs or {}).items():
            folder = "validation" if name.startswith("val_") else "train"
            self._writer(folder).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        train = self._writer("train")
        if "learning_rate" not in (logs or {}) and self.model.optimizer is not None:
            train.add_scalar("epoch_learning_rate", self.model.optimizer.learning_rate, epoch)
        if self.write_steps_per_second:
            steps = self._steps - self._first
            train.add_scalar("epoch_steps_per_second", steps / (time.perf_counter() - self._began), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs: Logs = None) -> None:
        """Write an evaluation inside a training."""
        for name, value in (logs or {}).items():
            self._writer("validation").add_scalar(f"evaluation_{name}_vs_iterations", value, self._steps)
        self._writer("validation").flush()

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the files."""
        del logs
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _after_step(self, batch: int, logs: Logs = None) -> None:
        del batch
        if self._steps % self.update_freq == 0:
            for name, value in (logs or {}).items():
                self._writer("train").add_scalar(f"batch_{name}", value, self._steps)

    @property
    def _steps(self) -> int:
        return 0 if self.model.optimizer is None else self.model.optimizer.steps

    def _writer(self, folder: str) -> Any:
        if folder not in self._writers:
            self._writers[folder] = _summary_writer()(str(self.log_dir / folder))
        return self._writers[folder]

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for weight in self.model.weights:
            if not np.isfinite(weight.value).all():
                continue
            writer.add_histogram(f"{weight.name}/histogram", weight.value, epoch)
            if self.write_images and weight.value.ndim == 2:
                low, high = float(weight.value.min()), float(weight.value.max())
                image = (weight.value - low) / ((high - low) or 1.0)
                writer.add_image(f"{weight.name}/image", image, epoch, dataformats="HW")


def _summary_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        extra = 'pip install "flyball[tensorboard]"'
        msg = f"TensorBoard needs tensorboardX, which cannot be imported ({error}); {extra}"
        raise ImportError(msg, name="tensorboardX") from error
    return SummaryWriter
