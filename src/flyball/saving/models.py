"""Models in one file: configuration, weights, what they were compiled with, and where their training stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks, layers, losses, metrics, optimizers
from flyball._own_objects import custom_object_scope, recorded
from flyball._registry import serialize
from flyball.saving import files, state
from flyball.saving.weights import require_built, require_free

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.metrics import Metric
    from flyball.models import Sequential
    from flyball.models.compilation import Compilation
    from flyball.optimizers import Optimizer
    from flyball.program.nodes import Weight


def save_model(
    model: Sequential,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
    include_optimizer: bool = True,
    overwrite: bool = True,
) -> None:
    """Write ``model`` to the file ``path``: layers, weights, what it was compiled with, and where its training stands.

    A model that was loaded goes on where this one stood: ``fit(initial_epoch=4, epochs=10)`` after ``fit(epochs=4)``
    gives the bits of ``fit(epochs=10)``, on the same data.

    Parameters
    ----------
    model : Sequential
        A built model.
    path : path
        An existing file is replaced, at once: whatever happens meanwhile, it is the old one or the new one.
    metadata : mapping of str to str, optional
        Notes of your own, read back by :func:`load_metadata`.
    include_optimizer : bool
        Whether the state of the training goes in: the optimizer's (momenta, step count), the number of epochs, and the
        seed. Without it a training of the loaded model begins anew, with the same settings.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ValueError
        If the model is not built, has a part that cannot be described, or ``metadata`` is not as said.
    OSError
        If the file cannot be written, or exists and must not be overwritten (FileExistsError).
    """
    include_optimizer = _checks.flag("include_optimizer", include_optimizer)
    require_built(model)
    require_free(path, overwrite)
    with recorded():  # two of one name could not be told apart on loading
        tensors, config = _described(model, include_optimizer=include_optimizer)
    files.write(path, tensors, config, files.user_metadata(metadata))


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,  # noqa: A002  # Keras' name
    safe_mode: bool = True,
) -> Sequential:
    """Read the model that :func:`save_model` wrote to ``filepath``, compiled if it was.

    Parameters
    ----------
    filepath : path
    custom_objects : mapping of str to class or function, optional
        Layers, metrics and other parts of your own, by the names they had when the model was saved. What is registered
        with :func:`register_keras_serializable` need not be given. The file holds names and numbers, no code.
    compile : bool
        Whether the model is compiled as it was, and goes on with its training; without, what it was compiled with is
        not looked at.
    safe_mode : bool
        Keras' argument, without effect: loading never executes what it reads.

    Raises
    ------
    ValueError
        If the file is no such model, is damaged, says anything that cannot be, or names a class that this program does
        not know.
    OSError
        If the file cannot be read.
    """
    compiled = _checks.flag("compile", compile)
    _checks.flag("safe_mode", safe_mode)
    with custom_object_scope(custom_objects):
        try:
            return _made(*files.read(filepath), compiled=compiled)
        except files.BAD_CONTENT as error:
            files.refuse(filepath, error, save_model)


def to_bytes(model: Sequential) -> bytes:
    """Return what :func:`save_model` would write to a file; the model need not be built.

    Raises
    ------
    ValueError
        If the model has a part that cannot be described.
    """
    return files.content(*_described(model, include_optimizer=model.built))


def from_bytes(content: bytes) -> Sequential:
    """Return the model that :func:`to_bytes` was given; raise ValueError where ``content`` is no such thing."""
    return _made(*files.read_content(content), unbuilt=True)


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the ``metadata`` that :func:`save_model` was given, without reading the weights.

    Raises
    ------
    ValueError
        If the file is no model of flyball's, or is damaged.
    OSError
        If the file cannot be read.
    """
    try:
        header, _ = files.read(path, with_tensors=False)
    except ValueError as error:
        files.refuse(path, error, save_model)
    return {name: value for name, value in header.items() if name not in files.RESERVED}


# --- writing ---------------------------------------------------------------------------------------------------------


COMPILATION = ("optimizer", "loss", "metrics", "weighted_metrics", "regularizer", "regularize_biases")
"""What a file says of ``compile``."""


def _described(model: Sequential, *, include_optimizer: bool) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    tensors = {weight.name: weight.value for weight in model.weights}
    config = {"model": model.get_config(), "compile": compile_config(model), "training": None}
    if include_optimizer and config["compile"] is not None:
        tensors |= state.slot_tensors_for_compile(model)
        config["training"] = state.counts(model)
    return tensors, config


def compile_config(model: Compilation) -> dict[str, Any] | None:
    """Return what a model was compiled with, as JSON types; None where it was not."""
    if model.optimizer is None or model.loss is None:
        return None
    return {
        "optimizer": serialize(model.optimizer),
        "loss": serialize(model.loss),
        "metrics": [serialize(metric) for metric in model._metrics],
        "weighted_metrics": [serialize(metric) for metric in model._weighted_metrics],
        "regularizer": None if model.regularizer is None else serialize(model.regularizer),
        "regularize_biases": model.regularize_biases,
    }


# --- reading ---------------------------------------------------------------------------------------------------------


def _made(
    header: dict[str, str], tensors: dict[str, NDArray[Any]], *, unbuilt: bool = False, compiled: bool = True
) -> Sequential:
    """Return the model; one without an input shape only if it may be ``unbuilt``."""
    from flyball.models import Sequential

    config = files.parse(header["config"])
    if header["schema"] == "1":
        config.setdefault("training", None)
    files.keys("the configuration", config, ("model", "compile", "training"))
    if not compiled:
        config["compile"] = config["training"] = None
    optimizer = optimizer_of(config["compile"])
    if unbuilt and isinstance(config["model"], dict) and config["model"].get("input_shape") is None:
        model = Sequential.from_config(config["model"])
        compile_from(model, optimizer, config["compile"])
        return model
    weights = declared_weights(config["model"])
    expected = {weight.name: weight.shape for weight in weights}
    if config["training"] is not None:
        expected |= state.expected_slots(weights, optimizer, config["training"])
    if not compiled:
        tensors = {name: array for name, array in tensors.items() if name in expected or not state.is_slot(name)}
    _check_tensors(tensors, expected, config["model"]["dtype"])
    model = Sequential.from_config(config["model"])
    model.set_weights([tensors[weight.name] for weight in weights])
    compile_from(model, optimizer, config["compile"])
    if config["training"] is not None:
        state.restore(model, tensors, config["training"])
    return model


def declared_weights(config: Any) -> list[Weight]:
    """Return the weights of a model's configuration, in order; nothing of their size is allocated."""
    files.keys("the model", config, ("name", "dtype", "input_shape", "layers"))
    _checks.text("the model's name", config["name"])
    _checks.choice("the model's dtype", config["dtype"], files.DTYPES)
    if not isinstance(config["layers"], list):
        _checks.refuse("the model's layers", "a list", config["layers"])
    shape = _checks.shape("the model's input_shape", config["input_shape"])
    weights: list[Weight] = []
    for item in config["layers"]:
        layer: Layer = layers.deserialize(item)
        layer.build(shape)
        if layer.output_shape is not None:
            shape = layer.output_shape
        weights += layer.weights
    return weights


def _check_tensors(tensors: dict[str, NDArray[Any]], expected: dict[str, tuple[int, ...]], dtype: str) -> None:
    if set(tensors) != set(expected):
        missing, extra = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
        msg = f"its tensors must be those of its layers, but {missing} are missing and {extra} belong to none"
        raise ValueError(msg)
    for name, shape in expected.items():
        array = tensors[name]
        if array.shape != shape or array.dtype != dtype:
            msg = f"tensor {name!r} must be {dtype} of shape {shape}, got {array.dtype} of {array.shape}"
            raise ValueError(msg)


def optimizer_of(config: Any) -> Optimizer | None:
    """Return the optimizer in the result of :func:`compile_config`."""
    if config is None:
        return None
    files.keys("the compilation", config, COMPILATION)
    return optimizers.REGISTRY.deserialize(config["optimizer"])


def compile_from(model: Compilation, optimizer: Optimizer | None, config: Any) -> None:
    """Compile ``model`` with ``optimizer`` and what else is in the result of :func:`compile_config`."""
    if optimizer is None:
        return
    loss = losses.REGISTRY.deserialize(config["loss"])
    plain, weighted = (_metrics(name, config[name]) for name in ("metrics", "weighted_metrics"))
    penalty = {name: config[name] for name in ("regularizer", "regularize_biases")}
    model.compile(optimizer, loss, metrics=plain, weighted_metrics=weighted, **penalty)


def _metrics(name: str, config: Any) -> list[Metric]:
    if not isinstance(config, list):
        _checks.refuse(f"the compilation's {name}", "a list", config)
    return [metrics.REGISTRY.deserialize(item) for item in config]
