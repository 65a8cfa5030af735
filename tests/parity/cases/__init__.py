"""One module per family of operations; importing them fills the table."""

from parity.cases import activation, data, dense, dropout, loss, norm, update, weights
from parity.cases.table import OPERATIONS, SHAPES, Make, to_double

__all__ = [
    "OPERATIONS",
    "SHAPES",
    "Make",
    "activation",
    "data",
    "dense",
    "dropout",
    "loss",
    "norm",
    "to_double",
    "update",
    "weights",
]
