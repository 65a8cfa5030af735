"""One module per family of operations; importing them fills the table."""

from parity.cases import (
    activation,
    augment,
    data,
    dense,
    dropout,
    ghost_norm,
    layer_norm,
    loss,
    norm,
    random,
    update,
    weights,
)
from parity.cases.table import OPERATIONS, SHAPES, Make, to_double

__all__ = [
    "OPERATIONS",
    "SHAPES",
    "Make",
    "activation",
    "augment",
    "data",
    "dense",
    "dropout",
    "ghost_norm",
    "layer_norm",
    "loss",
    "norm",
    "random",
    "to_double",
    "update",
    "weights",
]
