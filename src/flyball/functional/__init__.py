"""Operations for a network of one's own: NumPy arrays in, NumPy arrays out, forward and backward in pairs.

Every function takes float32 or float64 arrays, all of one dtype, and returns the same; ``out=`` receives a result
without an allocation. Inputs are used as they are; only one that is not C-contiguous, not aligned or in the other
byte order is copied, once. Arrays that are written to (``out``, weights, optimiser state, running statistics) are
never copied: one that does not fit is refused. Empty data is refused; an update of no weights does nothing.
"""

from __future__ import annotations

from flyball.functional.activation import activation_backward, activation_forward, softmax_backward, softmax_forward
from flyball.functional.data import gather
from flyball.functional.dense import DenseGradients, dense_backward, dense_forward, matmul
from flyball.functional.dropout import (
    alpha_dropout_backward,
    alpha_dropout_forward,
    dropout_backward,
    dropout_forward,
    dropout_inference,
    dropout_mask,
)
from flyball.functional.loss import CrossEntropy, SquaredError, mean_squared_error, softmax_cross_entropy
from flyball.functional.norm import (
    BatchNorm,
    BatchNormGradients,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
)
from flyball.functional.update import adam_update, sgd_update

__all__ = [
    "BatchNorm",
    "BatchNormGradients",
    "CrossEntropy",
    "DenseGradients",
    "SquaredError",
    "activation_backward",
    "activation_forward",
    "adam_update",
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
    "matmul",
    "mean_squared_error",
    "sgd_update",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_forward",
]
