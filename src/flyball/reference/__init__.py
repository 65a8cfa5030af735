"""The reference backend: every operation in plain NumPy. It is the specification of the native one.

The docstrings stand in :class:`flyball.backend.Backend`, once. An operation first checks memory facts, in the words
of the native bindings, and then reads like its formula: elementwise arithmetic in the dtype of the arrays, sums and
statistics in float64.
"""

from __future__ import annotations

from flyball.reference.activation import activation_backward, activation_forward, softmax_backward, softmax_forward
from flyball.reference.data import add_total, gather, gather_labels
from flyball.reference.dense import dense_backward, dense_forward, matmul
from flyball.reference.dropout import (
    alpha_dropout_backward,
    alpha_dropout_forward,
    dropout_backward,
    dropout_forward,
    dropout_inference,
    dropout_mask,
)
from flyball.reference.loss import mean_squared_error, softmax_cross_entropy, softmax_cross_entropy_soft
from flyball.reference.norm import batch_norm_backward, batch_norm_forward, batch_norm_inference
from flyball.reference.update import adam_update, sgd_update

name: str = "reference"

__all__ = [
    "activation_backward",
    "activation_forward",
    "adam_update",
    "add_total",
    "alpha_dropout_backward",
    "alpha_dropout_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "dense_backward",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "dropout_inference",
    "dropout_mask",
    "gather",
    "gather_labels",
    "matmul",
    "mean_squared_error",
    "name",
    "sgd_update",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_soft",
    "softmax_forward",
]
