"""Models, weights and training states in files: safetensors, with everything else as JSON in the file's header.

A file is written beside its place, flushed to the disk and renamed, so that a crash leaves the old file or the new one.
Loading checks everything before it changes anything, and never executes what it reads: classes come from the
registries of :mod:`flyball.layers` and its neighbours, and from what the program itself has given or registered with
:func:`register_keras_serializable`.
"""

from flyball._own_objects import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from flyball.saving.models import load_metadata, load_model, save_model
from flyball.saving.weights import load_weights, save_weights

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_metadata",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
]

CustomObjectScope = custom_object_scope
