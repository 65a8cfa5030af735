"""Models in one file: safetensors, with the model's configuration as JSON in the file's header.

A file is written beside its place, flushed to the disk and renamed, so that a crash leaves the old file or the new one.
Loading checks everything before it makes anything, and never executes what it reads: classes come from the registries
of :mod:`flyball.layers` and its neighbours only.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from flyball import _checks, layers, losses, metrics, optimizers
from flyball._registry import serialize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.models import Sequential

__all__ = ["load_metadata", "load_model", "save_model"]

FORMAT = "flyball"
SCHEMA = "1"
RESERVED = ("format", "schema", "config")
"""Entries of the header that are the file format's own; all others are the user's."""

_DTYPES = {"float32": "F32", "float64": "F64"}


def save_model(model: Sequential, path: str | os.PathLike[str], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write ``model`` to the file ``path``: layers, weights, and what it was compiled with.

    The optimizer's settings are saved, its state (momenta) is not.

    Parameters
    ----------
    model : Sequential
        A built model.
    path : path
        An existing file is replaced, at once: whatever happens meanwhile, it is the old one or the new one.
    metadata : mapping of str to str, optional
        Notes of your own, read back by :func:`load_metadata`.

    Raises
    ------
    ValueError
        If the model is not built, has a part that cannot be described, or ``metadata`` is not as said.
    OSError
        If the file cannot be written.
    """
    from safetensors.numpy import save

    if not model.built:
        msg = "model must be built before it is saved: give it an input shape"
        raise ValueError(msg)
    tensors = {weight.name: np.ascontiguousarray(weight.value) for weight in model.weights}
    config = {"model": model.get_config(), "compile": _compile_config(model)}
    header = {"format": FORMAT, "schema": SCHEMA, "config": json.dumps(config, allow_nan=False)}
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    content = save(tensors, {**_user_metadata(metadata), **header})
    try:
        with beside.open("xb") as file:  # safetensors' own save_file makes files that no one else may read
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    if os.name == "posix":  # the rename is on the disk when the folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def load_model(path: str | os.PathLike[str]) -> Sequential:
    """Read the model that :func:`save_model` wrote to ``path``, compiled if it was.

    Raises
    ------
    ValueError
        If the file is no such model, is damaged, or says anything that cannot be.
    OSError
        If the file cannot be read.
    """
    from flyball.models import Sequential

    try:
        header, tensors = _read(path, with_tensors=True)
        config = _parse(header["config"])
        _keys("the configuration", config, ("model", "compile"))
        expected = _expected_weights(config["model"])
        _check_tensors(tensors, expected, config["model"]["dtype"])
        model = Sequential.from_config(config["model"])
        model.set_weights([tensors[name] for name in expected])
        _compile(model, config["compile"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        _refuse(path, error)
    return model


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
        header, _ = _read(path, with_tensors=False)
    except ValueError as error:
        _refuse(path, error)
    return {name: value for name, value in header.items() if name not in RESERVED}


# --- writing ---------------------------------------------------------------------------------------------------------


def _compile_config(model: Sequential) -> dict[str, Any] | None:
    if model.optimizer is None or model.loss is None:
        return None
    names = [name for name in model.metrics_names if name != "loss"]
    return {"optimizer": serialize(model.optimizer), "loss": serialize(model.loss), "metrics": names}


def _user_metadata(metadata: Mapping[Any, Any] | None) -> dict[str, str]:
    entries = dict(metadata or {})
    for name, value in entries.items():
        if not isinstance(name, str) or not isinstance(value, str):
            _checks.refuse("metadata", "strings by name", {name: value})
        if name in RESERVED:
            _checks.refuse("metadata", f"without the names {', '.join(RESERVED)}", name)
    return entries


# --- reading ---------------------------------------------------------------------------------------------------------


def _refuse(path: str | os.PathLike[str], error: Exception) -> NoReturn:
    reason = f"{type(error).__name__} {error}" if isinstance(error, (KeyError, RecursionError)) else str(error)
    msg = f"{os.fspath(path)!r} must be an undamaged file that flyball's save_model wrote: {reason}"
    raise ValueError(msg) from error


def _read(path: str | os.PathLike[str], *, with_tensors: bool) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    with Path(path).open("rb") as file:  # what cannot be opened is an OSError, and an empty file cannot be mapped
        if len(file.read(9)) < 9:
            msg = "it is too short for a header"
            raise ValueError(msg)
    try:
        with safe_open(path, framework="numpy") as opened:
            header = opened.metadata() or {}
            if header.get("format") != FORMAT or "config" not in header:
                msg = "its header has no model of flyball's"
                raise ValueError(msg)
            if header.get("schema") != SCHEMA:
                msg = f"its schema must be {SCHEMA!r}, got {header.get('schema')!r}; a newer flyball may read it"
                raise ValueError(msg)
            tensors = {}
            for name in opened.keys() if with_tensors else ():
                dtype = opened.get_slice(name).get_dtype()
                if dtype not in _DTYPES.values():
                    msg = f"tensor {name!r} must be F32 or F64, got {dtype}"
                    raise ValueError(msg)
                tensors[name] = opened.get_tensor(name)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return header, tensors


def _parse(text: str) -> dict[str, Any]:
    def finite(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            _checks.refuse("a number in the configuration", "finite", literal)
        return value

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            _checks.refuse("names in the configuration", "unique", [name for name, _ in pairs])
        return dict(pairs)

    parsed = json.loads(text, parse_float=finite, parse_constant=finite, object_pairs_hook=unique)
    if not isinstance(parsed, dict):
        _checks.refuse("the configuration", "a JSON object", parsed)
    return parsed


def _keys(what: str, value: object, names: tuple[str, ...]) -> None:
    if not isinstance(value, dict) or set(value) != set(names):
        _checks.refuse(what, f"an object of {', '.join(names)}", value)


def _expected_weights(config: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by its name in the file; nothing of their size is allocated."""
    _keys("the model", config, ("name", "dtype", "input_shape", "layers"))
    _checks.text("the model's name", config["name"])
    _checks.choice("the model's dtype", config["dtype"], _DTYPES)
    if not isinstance(config["layers"], list):
        _checks.refuse("the model's layers", "a list", config["layers"])
    shape = _checks.shape("the model's input_shape", config["input_shape"])
    expected: dict[str, tuple[int, ...]] = {}
    for item in config["layers"]:
        layer: Layer = layers.deserialize(item)
        layer.build(shape)
        if layer.output_shape is not None:
            shape = layer.output_shape
        expected |= {weight.name: weight.shape for weight in layer.weights}
    return expected


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


def _compile(model: Sequential, config: Any) -> None:
    if config is None:
        return
    _keys("the compilation", config, ("optimizer", "loss", "metrics"))
    if not isinstance(config["metrics"], list):
        _checks.refuse("the compilation's metrics", "a list", config["metrics"])
    loss = losses.REGISTRY.deserialize(config["loss"])
    names = [metrics.get(name, loss).name for name in config["metrics"]]
    model.compile(optimizers.REGISTRY.deserialize(config["optimizer"]), loss, metrics=names)
