"""Sequential: a stack of layers with Keras' ``compile``, ``fit``, ``evaluate`` and ``predict``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks, saving
from flyball import callbacks as callbacks_module
from flyball import layers as layers_module
from flyball import losses as losses_module
from flyball import metrics as metrics_module
from flyball import optimizers as optimizers_module
from flyball.data import as_samples, require_finite, require_same_length
from flyball.inspection import Inspection
from flyball.program.memory import Memory
from flyball.program.nodes import ActivationNode
from flyball.progress import check_verbose, make_progress
from flyball.saving import load_model
from flyball.training import Evaluator, Predictor, Trainer, batch_statistics_layer
from flyball.utils import new_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from flyball.callbacks import Callback, CallbackList, History
    from flyball.layers import Layer
    from flyball.losses import Loss
    from flyball.metrics import Metric
    from flyball.optimizers import Optimizer
    from flyball.program.nodes import Node, Weight

__all__ = ["Sequential", "load_model"]

DEFAULT_BATCH_SIZE = 32


class Sequential(Inspection):
    """A linear stack of layers.

    Parameters
    ----------
    layers : sequence of Layer, optional
        The layers, first to last; more can follow by :meth:`add`.
    name : str, optional
    dtype : {"float32", "float64"}
        Of parameters and arithmetic.

    Notes
    -----
    Names, arguments, defaults and semantics are those of ``keras.Sequential`` (Keras 3). The same seed gives the same
    bits for any number of threads, on the same build and instruction-set level.
    """

    def __init__(self, layers: Iterable[Layer] | None = None, *, name: str = "sequential", dtype: str = "float32"):
        self.name = _checks.text("name", name)
        self.dtype = np.dtype(_checks.choice("dtype", dtype, ("float32", "float64")))
        self.stop_training = False
        self.history: History | None = None
        self.optimizer: Optimizer | None = None
        self.loss: Loss | None = None
        self._metrics: list[Metric] = []
        self._layers: list[Layer] = []
        self._input_shape: tuple[int, ...] | None = None
        self._memory: Memory | None = None
        self._predictor: Predictor | None = None
        self._seed = new_seed()
        self._epochs = 0
        for layer in layers or ():
            self.add(layer)

    # --- structure -----------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._layers if not isinstance(layer, layers_module.InputLayer)]

    @property
    def built(self) -> bool:
        """Whether the layers know their input and hold weights."""
        return self._memory is not None

    @property
    def weights(self) -> list[Weight]:
        """All arrays of all layers, in the layers' order."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of inputs; the first axis is the samples'."""
        self._require_built()
        return (None, *(self._input_shape or ()))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of outputs; the first axis is the samples'."""
        self._require_built()
        return (None, *(self.layers[-1].output_shape or ()))

    @property
    def metrics_names(self) -> list[str]:
        """Names of what :meth:`evaluate` returns."""
        return ["loss", *(metric.name for metric in self._metrics)]

    def add(self, layer: Layer) -> None:
        """Append a layer; the model is built as soon as the shape of its input is known."""
        _require_layer(layer)
        if any(layer.name == other.name for other in self._layers):
            msg = f"layer names must be unique, got {layer.name!r} twice"
            raise ValueError(msg)
        if layer.built and layer.weights:
            msg = f"layer must be new, got {layer.name!r}, which has weights in a model"
            raise ValueError(msg)
        self._layers.append(layer)
        shape = self._input_shape or self._layers[0].input_shape
        if shape is not None:
            try:
                self.build(shape)
            except ValueError:
                self._layers.pop()
                raise

    def pop(self) -> Layer:
        """Remove and return the last layer."""
        if not self.layers:
            msg = "model must have a layer to pop, got none"
            raise ValueError(msg)
        layer = self._layers.pop()
        self._forget_programs()
        if self.built and self._input_shape is not None and self.layers:
            self.build(self._input_shape)
        return layer

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights for inputs of ``input_shape`` (with or without Keras' leading None for the batch).

        Layers that are built keep their weights' values.
        """
        shape = tuple(input_shape)
        if shape and shape[0] is None:
            shape = shape[1:]
        shape = _checks.shape("input_shape", shape)
        kept = {id(weight): weight.value.copy() for weight in self.weights if weight.value.size}
        current: tuple[int, ...] | None = shape
        for layer in self._layers:
            if current is not None:
                layer.build(current)
                current = layer.output_shape
        self._input_shape = shape
        if not self.layers:
            return
        self._memory = Memory(self.weights, self.dtype)
        rng = np.random.Generator(np.random.Philox(key=np.array([self._seed, 2**64 - 1], np.uint64)))
        for weight in self.weights:
            value = weight.initializer(weight.shape, self.dtype, rng)
            weight.value[...] = kept.get(id(weight), value)
        self._forget_programs()

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of all arrays, in the order of :attr:`weights`."""
        return [weight.value.copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set all arrays from a list as :meth:`get_weights` returns it."""
        self._require_built()
        own = self.weights
        arrays = [np.asarray(weight) for weight in weights]
        if len(arrays) != len(own):
            msg = f"weights must have {len(own)} arrays, got {len(arrays)}"
            raise ValueError(msg)
        for weight, array in zip(own, arrays, strict=True):
            if array.shape != weight.shape:
                msg = f"weights must have shape {weight.shape} for {weight.name!r}, got {array.shape}"
                raise ValueError(msg)
        for weight, array in zip(own, arrays, strict=True):
            weight.value[...] = array

    def count_params(self) -> int:
        """Return the number of elements of all weights."""
        self._require_built()
        return sum(weight.size for weight in self.weights)

    def summary(self, print_fn: Callable[[str], object] | None = None) -> None:
        """Print a table of the layers: name, kind, output shape, parameters."""
        self._require_built()
        rows = [("Layer (type)", "Output Shape", "Param #")]
        rows += [
            (
                f"{layer.name} ({type(layer).__name__})",
                str((None, *(layer.output_shape or ()))),
                f"{layer.count_params():,}",
            )
            for layer in self.layers
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        rule = "─" * (sum(widths) + 4)
        lines = [f'Model: "{self.name}"', rule]
        for row in rows:
            lines.append(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}")
            if len(lines) == 3:
                lines.append(rule)
        trainable = sum(weight.size for weight in self.weights if weight.trainable)
        total = self.count_params()
        size = total * self.dtype.itemsize / 1024
        lines += [rule, f"Total params: {total:,} ({size:,.1f} KiB)"]
        lines += [f"Trainable params: {trainable:,}", f"Non-trainable params: {total - trainable:,}"]
        (print_fn or print)("\n".join(lines))

    # --- training ------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: str | Loss | None = None,
        *,
        metrics: Sequence[str] | None = None,
    ) -> None:
        """Choose what to minimise and how; forgets the optimiser's state, keeps the weights.

        Parameters
        ----------
        optimizer : str or Optimizer
            A name such as ``"adam"``, or an instance from :mod:`flyball.optimizers`.
        loss : str or Loss
            As in :mod:`flyball.losses`.
        metrics : sequence of str, optional
            Such as ``["accuracy"]``.
        """
        chosen_optimizer = optimizers_module.get(optimizer)
        chosen_loss = losses_module.get(loss)
        chosen_metrics = [metrics_module.get(metric, chosen_loss) for metric in metrics or ()]
        if self.built:
            self._check_output(chosen_loss)
        self.optimizer, self.loss, self._metrics = chosen_optimizer, chosen_loss, chosen_metrics
        if self._input_shape is not None:
            self.build(self._input_shape)  # new memory: without state, and as the layers' `trainable` now stands

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
        watchers = callbacks_module.CallbackList([*(callbacks or ()), self.history], self)
        watchers.set_params({"epochs": epochs, "steps": trainer.steps, "verbose": verbose})
        line = make_progress(verbose, epochs, trainer.steps)
        batches = _Batches(self, watchers) if watchers.wants_batches else None
        watchers.on_train_begin()
        try:
            for epoch in range(initial_epoch, epochs):
                watchers.on_epoch_begin(epoch)
                started = time.perf_counter()
                line.begin_epoch(epoch)
                means = trainer.run_epoch(self._epochs, shuffle=shuffle, progress=line.update, watcher=batches)
                self._epochs += 1
                logs = self._report(means)
                if evaluator is not None and (epoch + 1) % validation_freq == 0:
                    logs |= {f"val_{name}": value for name, value in self._report(evaluator.run()).items()}
                line.end_epoch(logs, time.perf_counter() - started)
                watchers.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            trainer.finish()
        finally:
            line.close()
            watchers.on_train_end()
        return self.history

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        *,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss, or ``[loss, *metrics]`` where there are metrics, or a dict of them by name."""
        loss, _ = self._require_compiled()
        samples, targets = self._prepare("x", x, "y", y)
        rows = None if batch_size is None else _checks.integer("batch_size", batch_size, 1)
        means = Evaluator(self._nodes(), self._require_built(), loss, samples, targets, rows).run()
        logs = self._report(means)
        check_verbose(verbose)
        if verbose in (1, 2):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in logs.items()))
        if return_dict:
            return logs
        values = [logs[name] for name in self.metrics_names]
        return values if self._metrics else values[0]

    def predict(self, x: Any, batch_size: int | None = None, verbose: str | int = "auto") -> NDArray[Any]:
        """Return the outputs (samples, outputs) for ``x``; ``batch_size`` bounds the memory used, not the result."""
        del verbose  # Keras' argument; prediction prints nothing
        samples = as_samples("x", x, self._features())
        if not self.built:
            self.build(samples.shape[1:])
        memory = self._require_built()
        rows = None if batch_size is None else _checks.integer("batch_size", batch_size, 1)
        predictor = self._predictor
        if predictor is None or predictor.key != Predictor.key_of(samples, rows):
            predictor = self._predictor = Predictor(self._nodes(), memory, samples, rows)
        return predictor.run(samples)

    # --- configuration -------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` makes the same model from, weights aside."""
        layers = [{"class_name": type(layer).__name__, "config": layer.get_config()} for layer in self._layers]
        return {"name": self.name, "dtype": self.dtype.name, "input_shape": self._input_shape, "layers": layers}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """Make a model from the result of :meth:`get_config`."""
        layers = [layers_module.deserialize(item) for item in config["layers"]]
        model = cls(layers, name=config["name"], dtype=config["dtype"])
        if not model.built and config.get("input_shape") is not None:
            model.build(config["input_shape"])
        return model

    def save(self, path: str | Path) -> None:
        """Write the model to one file that :func:`flyball.load_model` reads."""
        saving.save_model(self, path)

    def __reduce__(self) -> Any:
        """Refuse copies and pickles: they would tear the weights from the flat arrays that training works on."""
        msg = "a model must be copied by from_config(get_config()) and set_weights, or by save and load_model"
        raise TypeError(msg)

    # --- pieces --------------------------------------------------------------------------------------------------

    def _nodes(self) -> list[Node]:
        return [node for layer in self.layers for node in layer.lower()]

    def _rows(self, batch_size: int | None) -> int:
        return DEFAULT_BATCH_SIZE if batch_size is None else _checks.integer("batch_size", batch_size, 1)

    def _trainer(self, x: Any, y: Any, batch_size: int | None) -> Trainer:
        """Return what :meth:`fit` would train with; without data, on random numbers that fill one batch."""
        loss, optimizer = self._require_compiled()
        rows = self._rows(batch_size)
        if x is None:
            self._require_built()
            x = np.random.default_rng(0).standard_normal((rows, *(self._input_shape or ()))).astype(self.dtype)
        if y is None:
            y = loss.sample_targets(len(x), self.layers[-1].output_shape or (), self.dtype)
        samples, targets = self._prepare("x", x, "y", y)
        return Trainer(self._nodes(), self._require_built(), loss, optimizer, samples, targets, rows, self._seed)

    def _forget_programs(self) -> None:
        self._predictor = None

    def _report(self, means: dict[str, float]) -> dict[str, float]:
        return {**{metric.name: means[metric.source] for metric in self._metrics}, "loss": means["objective"]}

    def _features(self) -> int | None:
        return None if self._input_shape is None else self._input_shape[-1]

    def _require_built(self) -> Memory:
        if not self.layers:
            msg = "model must have at least one layer, got none"
            raise ValueError(msg)
        if self._memory is None:
            msg = "model must be built: give the first layer an input_shape, add layers.Input, or call fit or build"
            raise ValueError(msg)
        return self._memory

    def _require_compiled(self) -> tuple[Loss, Optimizer]:
        if self.loss is None or self.optimizer is None:
            msg = "model must be compiled with an optimizer and a loss before this: call compile"
            raise ValueError(msg)
        return self.loss, self.optimizer

    def _prepare(self, x_name: str, x: Any, y_name: str, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        loss, _ = self._require_compiled()
        samples = as_samples(x_name, x, self._features())
        require_finite(x_name, samples)
        if not self.built:
            self.build(samples.shape[1:])
            self._check_output(loss)
        self._require_built()
        targets = loss.prepare_targets(y, self.layers[-1].output_shape or (), self.dtype, name=y_name)
        require_same_length(y_name, targets, x_name, samples)
        return samples, targets

    def _check_output(self, loss: Loss) -> None:
        """Refuse a loss that the last layer's activation does not fit."""
        nodes = self._nodes()
        last = nodes[-1] if nodes else None
        fused = loss.objective.fused
        if fused == "linear":
            return
        ends_in_it = isinstance(last, ActivationNode) and last.activation == fused
        layer = self.layers[-1].name
        if not loss.from_logits and not ends_in_it:
            msg = f"loss must be given from_logits=True, or layer {layer!r} a {fused} activation, for {loss.name}"
            raise ValueError(msg)
        if loss.from_logits and ends_in_it:
            msg = f"loss must be given from_logits=False: layer {layer!r} ends in {fused}, whose outputs are no logits"
            raise ValueError(msg)


class _Batches:
    """Hands the steps of an epoch to the callbacks."""

    def __init__(self, model: Sequential, watchers: CallbackList) -> None:
        self._model, self._watchers = model, watchers

    def before(self, step: int) -> None:
        self._watchers.on_train_batch_begin(step)

    def after(self, step: int, means: dict[str, float]) -> bool:
        self._watchers.on_train_batch_end(step, self._model._report(means))
        return not self._model.stop_training


def _require_layer(layer: object) -> None:
    if not isinstance(layer, layers_module.Layer):
        msg = f"layer must be a flyball.layers.Layer, got {layer!r}"
        raise TypeError(msg)
