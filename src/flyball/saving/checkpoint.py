"""A whole run at one moment: what brings a model, its optimizer, the run and its callbacks back to where they were."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks, optimizers, regularizers
from flyball._own_objects import custom_object_scope, recorded
from flyball._registry import serialize
from flyball.saving import files, state
from flyball.saving.weights import match
from flyball.training import Position, start

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.models import Sequential
    from flyball.program.nodes import Weight
    from flyball.regularizers import Regularizer


FACTS = ("weights", "training", "optimizer", "regularizers", "regularizer", "regularize_biases", "run")


@dataclass(frozen=True)
class Checkpoint:
    """A run at one moment; made by :func:`capture` or :func:`load`, of JSON types and arrays only."""

    tensors: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    """``weights`` (names in order), ``training`` (:func:`flyball.saving.state.counts`), ``optimizer``,
    ``regularizers`` (by layer, those inside others too), ``regularizer`` and ``regularize_biases`` of the whole model,
    and ``run``: the next epoch, the place inside it, and whether training is to stop."""
    callbacks: list[tuple[str, dict[str, Any]]]

    @property
    def epoch(self) -> int:
        """The epoch that comes next, or is in progress."""
        return int(self.facts["run"]["epoch"])


def capture(model: Sequential, callbacks: list[tuple[str, dict[str, Any]]]) -> Checkpoint:
    """Return where the run of ``model`` stands; a copy, which training leaves alone."""
    if model._run is None or model.optimizer is None:
        msg = "model must be in training to have a checkpoint of its run"
        raise ValueError(msg)
    run, counts = model._run, state.counts(model)
    if run.inside:
        counts["epochs"] = run.number
    where = run.where()
    position = None if where is None else asdict(where)
    tensors = {weight.name: weight.value for weight in model.weights} | state.slot_tensors(model)
    facts = {
        "weights": [weight.name for weight in model.weights],
        "training": counts,
        "optimizer": serialize(model.optimizer),
        "regularizers": [
            {name: _config(penalty) for name, penalty in _penalties(layer).items()} for layer in model._flat_layers()
        ],
        "regularizer": _config(regularizers.get(model.regularizer)),
        "regularize_biases": model.regularize_biases,
        "run": {
            "epoch": run.epoch,
            "position": position,
            "stop": bool(model.stop_training),
        },
    }
    return Checkpoint({name: array.copy() for name, array in tensors.items()}, facts, callbacks)


def restore(model: Sequential, checkpoint: Checkpoint) -> None:
    """Put the run of ``model`` where ``checkpoint`` was taken; its callbacks are up to the caller.

    Raises
    ------
    ValueError
        If it is the checkpoint of another model; nothing is changed then.
    """
    run, optimizer, facts = model._run, model.optimizer, checkpoint.facts
    if run is None or optimizer is None:
        msg = "model must be in training to go to a checkpoint of its run"
        raise ValueError(msg)
    source = match(model.weights, facts["weights"], "the checkpoint")
    values = {weight.name: _tensor(checkpoint, source[weight.name], weight) for weight in model.weights}
    slots = {
        state.slot_name(slot, weight.name): _tensor(checkpoint, state.slot_name(slot, source[weight.name]), weight)
        for slot in facts["training"]["slots"]
        for weight in model._require_built().parameter_weights()
    }
    with custom_object_scope(own_objects(model)):
        saved = optimizers.REGISTRY.deserialize(facts["optimizer"])
        penalties = [
            {name: regularizers.get(config, name) for name, config in layer.items()} for layer in facts["regularizers"]
        ]
        of_all = regularizers.get(facts["regularizer"])
    if type(saved) is not type(optimizer):
        _checks.refuse("the optimizer", f"{type(saved).__name__}, as in the checkpoint", type(optimizer).__name__)
    layers = model._flat_layers()
    if [set(entry) for entry in penalties] != [set(_penalties(layer)) for layer in layers]:
        _checks.refuse("the layers' regularizers", "those of the checkpoint", penalties)
    position = None if facts["run"]["position"] is None else Position(**facts["run"]["position"])
    if position is not None:
        position.require(run.trainer.steps)

    for layer, entry in zip(layers, penalties, strict=True):
        for name, penalty in entry.items():
            setattr(layer, name, penalty)
    model.regularizer, model.regularize_biases = of_all, facts["regularize_biases"]
    vars(optimizer).update(vars(saved))
    for weight in model.weights:
        weight.value[...] = values[weight.name]
    state.restore(model, slots, facts["training"])
    start(model._require_built(), optimizer)
    run.epoch, run.inside = facts["run"]["epoch"], False
    run.position = position
    model.stop_training = facts["run"]["stop"]


def own_objects(model: Sequential) -> dict[str, Any]:
    """Return the classes of a user's own, by name, that a checkpoint of ``model`` may name."""
    with recorded() as found:
        _config(regularizers.get(model.regularizer))
        for layer in model._flat_layers():
            layer.get_config()
        if model.optimizer is not None:
            serialize(model.optimizer)
    return found


def _penalties(layer: Layer) -> dict[str, Regularizer | None]:
    of_outputs = regularizers.get(layer.activity_regularizer, "activity_regularizer")
    return {**layer.regularizers(), "activity_regularizer": of_outputs}


def _config(penalty: Regularizer | None) -> dict[str, Any] | None:
    return None if penalty is None else serialize(penalty)


def _tensor(checkpoint: Checkpoint, name: str, weight: Weight) -> NDArray[Any]:
    array, expected = checkpoint.tensors.get(name), weight.value
    if array is None or array.shape != expected.shape or array.dtype != expected.dtype:
        found = "none" if array is None else f"{array.dtype} of {array.shape}"
        msg = f"tensor {name!r} of the checkpoint must be {expected.dtype} of shape {expected.shape}, got {found}"
        raise ValueError(msg)
    return array


# --- files -----------------------------------------------------------------------------------------------------------


def save(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> None:
    """Write the checkpoint to ``path``; whatever happens meanwhile, it is the old file or the new one."""
    tensors = dict(checkpoint.tensors)
    config = {"facts": _packed(checkpoint.facts, tensors), "callbacks": _packed(checkpoint.callbacks, tensors)}
    files.write(path, tensors, {"checkpoint": config, "crc32": _crc32(config, tensors)})


def load(path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None) -> Checkpoint:
    """Read what :func:`save` wrote, with the names of a user's own classes as in :func:`flyball.load_model`.

    Raises
    ------
    ValueError
        If the file is no checkpoint, is damaged, or says anything that cannot be.
    OSError
        If the file cannot be read.
    """
    try:
        header, tensors = files.read(path)
        config = files.parse(header["config"])
        files.keys("the configuration", config, ("checkpoint", "crc32"))
        if config["crc32"] != _crc32(config["checkpoint"], tensors):
            msg = "its content does not fit its checksum"
            raise ValueError(msg)
        files.keys("the checkpoint", config["checkpoint"], ("facts", "callbacks"))
        facts = _unpacked(config["checkpoint"]["facts"], tensors)
        callbacks = _unpacked(config["checkpoint"]["callbacks"], tensors)
        with custom_object_scope(custom_objects):
            _check(facts, callbacks, tensors)
    except files.BAD_CONTENT as error:
        files.refuse(path, error, save)
    return Checkpoint(tensors, facts, [(name, entry) for name, entry in callbacks])


def _crc32(config: Any, tensors: Mapping[str, NDArray[Any]]) -> int:
    """Return the checksum of all: a flipped bit would make a run go on elsewhere, and nobody would know."""
    crc = zlib.crc32(json.dumps(config, sort_keys=True).encode())
    for name in sorted(tensors):
        crc = zlib.crc32(np.ascontiguousarray(tensors[name]).tobytes(), zlib.crc32(name.encode(), crc))
    return crc


def _check(facts: Any, callbacks: Any, tensors: dict[str, NDArray[Any]]) -> None:
    files.keys("the facts", facts, FACTS)
    files.keys("the run", facts["run"], ("epoch", "position", "stop"))
    state.check_counts(facts["training"], optimizers.REGISTRY.deserialize(facts["optimizer"]))
    _checks.integer("the run's epoch", facts["run"]["epoch"])
    _checks.flag("the run's stop", facts["run"]["stop"])
    position = facts["run"]["position"]
    if position is not None:
        files.keys("the run's position", position, ("done", "steps", "totals", "outputs"))
        _checks.integer("the run's position", position["done"], 1)
        _checks.optional_count("the run's steps", position["steps"])
        if not isinstance(position["totals"], dict) or not all(
            isinstance(v, float) for v in position["totals"].values()
        ):
            _checks.refuse("the run's totals", "numbers by name", position["totals"])
    names = facts["weights"]
    if not isinstance(names, list) or not all(isinstance(name, str) and name in tensors for name in names):
        _checks.refuse("the names of the weights", "those of its tensors", names)
    for layer in facts["regularizers"]:
        for name, config in layer.items():
            regularizers.get(config, name)
    regularizers.get(facts["regularizer"])
    _checks.flag("regularize_biases", facts["regularize_biases"])
    for entry in callbacks:
        if not (
            isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], dict)
        ):
            _checks.refuse("the callbacks", "pairs of a name and a state", entry)


_MARK = "$"
"""Key of an object that stands for what JSON has not: ``{"$": "array", "name": ...}``, ``{"$": "float", ...}``."""


def _packed(value: Any, tensors: dict[str, NDArray[Any]]) -> Any:
    """Return ``value`` in JSON types, its arrays moved to ``tensors``."""
    match value:
        case dict():
            if not all(isinstance(name, str) and name != _MARK for name in value):
                _checks.refuse("names in a state", f"strings other than {_MARK!r}", list(value))
            return {name: _packed(entry, tensors) for name, entry in value.items()}
        case list() | tuple():
            return [_packed(entry, tensors) for entry in value]
        case np.ndarray() if value.dtype.name in files.DTYPES:
            name = f"state/{len(tensors)}"
            tensors[name] = value
            return {_MARK: "array", "name": name}
        case np.generic():
            return _packed(value.item(), tensors)
        case float() if not math.isfinite(value):
            return {_MARK: "float", "value": str(value)}
        case None | bool() | int() | float() | str():
            return value
    return _checks.refuse("a state", "made of numbers, strings, None, float arrays, lists and dicts", value)


def _unpacked(value: Any, tensors: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_unpacked(entry, tensors) for entry in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$": "array", "name": str(name)}:
            return tensors[name]
        case {"$": "float", "value": "nan" | "inf" | "-inf" as text}:
            return float(text)
        case {"$": kind}:
            _checks.refuse("an entry of a state", "an array or a float", kind)
    return {name: _unpacked(entry, tensors) for name, entry in value.items()}
