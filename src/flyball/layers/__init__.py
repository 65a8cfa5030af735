"""Layers under the names, arguments and defaults of Keras 3."""

from __future__ import annotations

from flyball._registry import Registry, serialize
from flyball.layers.base import Layer
from flyball.layers.core import ELU, Activation, Dense, Input, InputLayer, LeakyReLU, ReLU, Softmax
from flyball.layers.normalization import BatchNormalization
from flyball.layers.regularization import Dropout

__all__ = [
    "ELU",
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "ReLU",
    "Softmax",
    "deserialize",
    "from_config",
    "serialize",
]

_names: dict[str, type[Layer]] = {
    "input_layer": InputLayer,
    "dense": Dense,
    "activation": Activation,
    "re_lu": ReLU,
    "leaky_re_lu": LeakyReLU,
    "elu": ELU,
    "softmax": Softmax,
    "batch_normalization": BatchNormalization,
    "dropout": Dropout,
}
REGISTRY: Registry[Layer] = Registry("layer", Layer, _names)


def deserialize(config: object) -> Layer:
    """Make a layer from ``{"class_name": ..., "config": {...}}``, what :func:`serialize` returned.

    Raises
    ------
    ValueError, TypeError
        If it describes no layer of this module.
    """
    return REGISTRY.deserialize(config)


from_config = deserialize
