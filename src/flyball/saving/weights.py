"""Weights alone, and how the weights of a file are matched with those of a model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball._own_objects import custom_object_scope, recorded
from flyball.saving import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flyball.models import Sequential
    from flyball.program.nodes import Weight


def save_weights(model: Sequential, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
    """Write the weights of ``model``, and nothing else of it, to the file ``path``.

    Parameters
    ----------
    model : Sequential
        A built model.
    path : path
        An existing file is replaced, at once: whatever happens meanwhile, it is the old one or the new one.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ValueError
        If the model is not built.
    OSError
        If the file cannot be written, or exists and must not be overwritten (FileExistsError).
    """
    require_built(model)
    require_free(path, overwrite)
    tensors = {weight.name: weight.value for weight in model.weights}
    files.write(path, tensors, {"weights": list(tensors)})


def load_weights(model: Sequential, path: str | os.PathLike[str], *, skip_mismatch: bool = False) -> None:
    """Set the weights of ``model`` from a file of :func:`save_weights` or :func:`flyball.saving.save_model`.

    Weights are matched by name. Where names differ only in the numbers that layers without a name of their own are
    given (``dense_3/kernel``), their order decides.

    Parameters
    ----------
    model : Sequential
        A built model.
    path : path
    skip_mismatch : bool
        Whether weights that the file lacks, or has in another shape, may stay as they are. With this, weights are
        matched by their full names only.

    Raises
    ------
    ValueError
        If the file is damaged, or, without ``skip_mismatch``, has not exactly the model's weights; the model is
        unchanged then.
    OSError
        If the file cannot be read.
    """
    require_built(model)
    skip_mismatch = _checks.flag("skip_mismatch", skip_mismatch)
    try:
        header, tensors = files.read(path)
        with recorded() as own:  # the file may name the same classes
            model.get_config()
        with custom_object_scope(own):
            names = _names(files.parse(header["config"]), tensors)
    except files.BAD_CONTENT as error:
        files.refuse(path, error, save_weights)
    if skip_mismatch:
        values = {w.name: tensors[w.name] for w in model.weights if _fits(w, tensors.get(w.name))}
    else:
        source = match(model.weights, names, os.fspath(path))
        values = {name: tensors[source[name]] for name in source}
        require_shapes(model.weights, values, os.fspath(path))
    for weight in model.weights:
        if weight.name in values:
            weight.value[...] = values[weight.name]


def match(weights: Sequence[Weight], names: Sequence[str], where: str) -> dict[str, str]:
    """Return for each weight's name the one of ``names`` that belongs to it.

    Raises
    ------
    ValueError
        If they are not the same weights.
    """
    own = [weight.name for weight in weights]
    if set(own) == set(names) and len(own) == len(names):
        return {name: name for name in own}
    if [_unnumbered(name) for name in own] == [_unnumbered(name) for name in names]:
        return dict(zip(own, names, strict=True))
    missing, extra = [n for n in own if n not in names], [n for n in names if n not in own]
    msg = (
        f"the weights in {where!r} must be the model's, but {_checks.shown(missing)} are missing "
        f"and {_checks.shown(extra)} belong to none"
    )
    raise ValueError(msg)


def require_shapes(weights: Sequence[Weight], values: Mapping[str, NDArray[Any]], where: str) -> None:
    """Raise ValueError unless each weight's value has its shape."""
    for weight in weights:
        shape = values[weight.name].shape
        if shape != weight.shape:
            msg = f"weight {weight.name!r} in {where!r} must have shape {weight.shape}, got {shape}"
            raise ValueError(msg)


def require_built(model: Sequential) -> None:
    """Raise ValueError unless the model has weights."""
    if not model.built:
        msg = "model must be built before it is saved or loaded: give it an input shape"
        raise ValueError(msg)


def require_free(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raise FileExistsError where ``path`` is there and must not be overwritten."""
    if not _checks.flag("overwrite", overwrite) and Path(path).exists():
        msg = f"path must not exist where overwrite is False, got {os.fspath(path)!r}"
        raise FileExistsError(msg)


def _names(config: Mapping[str, Any], tensors: Mapping[str, object]) -> list[str]:
    """Return the names of the weights in a file, in the model's order."""
    names = config.get("weights")
    if names is None:  # a whole model's file
        files.keys("the model", config.get("model"), ("name", "dtype", "input_shape", "layers"))
        from flyball.saving.models import declared_weights

        names = [weight.name for weight in declared_weights(config["model"])]
    elif not isinstance(names, list) or set(names) != set(tensors) or len(names) != len(tensors):
        _checks.refuse("the names of the weights", f"those of its tensors, {sorted(tensors)}", names)
    missing = [name for name in names if name not in tensors]
    if missing:
        msg = f"its tensors {missing} are missing"
        raise ValueError(msg)
    return list(names)


def _fits(weight: Weight, value: NDArray[Any] | None) -> bool:
    return value is not None and value.shape == weight.shape


def _unnumbered(name: str) -> str:
    *layers, stem = name.split("/")
    return "/".join([*(re.sub(r"_\d+$", "", layer) for layer in layers), stem])
