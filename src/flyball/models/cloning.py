"""Models made anew from what others are made of, with weights of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flyball import _checks, _own_objects
from flyball._registry import serialize
from flyball.layers import Layer, deserialize
from flyball.models.sequential import Sequential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def clone_model(model: object, *, clone_function: Callable[[Layer], Layer] | None = None) -> Sequential:
    """Return a model of new layers that are made as those of ``model`` were: with first weights, and not compiled.

    For a copy with its weights and its training, use ``copy.deepcopy``.

    Parameters
    ----------
    model : Sequential
        Is not changed.
    clone_function : callable, optional
        ``f(layer) -> layer`` for each layer but the input; by default the layer of the same configuration. It may
        return another layer in its place.

    Raises
    ------
    TypeError
        If ``model`` is no Sequential, or the function returns no layer.
    """
    if not isinstance(model, Sequential):
        msg = f"model must be a flyball.Sequential, got {_checks.shown(model)}"
        raise TypeError(msg)
    inner = {id(layer) for layer in model.layers}
    with _own_objects.recorded() as own:
        configs = [serialize(layer) for layer in model._layers]
    with _own_objects.custom_object_scope(own):
        layers = [
            clone_function(layer) if clone_function is not None and id(layer) in inner else deserialize(config)
            for layer, config in zip(model._layers, configs, strict=True)
        ]
    clone = Sequential(layers, name=model.name, dtype=model.dtype.name)
    if model.built and not clone.built:
        clone.build(model.input_shape)
    return clone


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Sequential:
    """Make a model from what :meth:`flyball.Sequential.to_json` returned, with first weights and not compiled.

    Parameters
    ----------
    json_string : str
    custom_objects : mapping of str to class or function, optional
        As for :func:`flyball.load_model`.

    Raises
    ------
    ValueError
        If it is no such text, or names a class that this program does not know.
    """
    config = json.loads(_checks.text("json_string", json_string))
    if not isinstance(config, dict) or set(config) != {"class_name", "config"} or config["class_name"] != "Sequential":
        _checks.refuse("json_string", "what to_json of a Sequential returned", json_string)
    try:
        return Sequential.from_config(config["config"], custom_objects)
    except (KeyError, TypeError) as error:
        msg = f"json_string must be what to_json of a Sequential returned: {error}"
        raise ValueError(msg) from error
