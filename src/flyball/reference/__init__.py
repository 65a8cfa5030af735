"""The reference backend: every operation in plain NumPy. It is the specification of the native one.

The docstrings stand in :class:`flyball.backend.Backend`, once. An operation first checks memory facts, in the words
of the native bindings, and then reads like its formula: elementwise arithmetic in the dtype of the arrays, sums and
statistics in float64.
"""

from __future__ import annotations

from flyball.reference.activation import (
    activation_backward,
    activation_forward,
    activity_penalty,
    activity_penalty_backward,
    log_softmax_backward,
    log_softmax_forward,
    prelu_backward,
    prelu_forward,
    relu_backward,
    relu_forward,
    softmax_backward,
    softmax_forward,
)
from flyball.reference.augment import (
    add_noise,
    adjust_pixels,
    affine_matrices,
    affine_transform,
    cut_boxes,
    mix_rows,
    mix_weights,
    partner_rows,
    paste_boxes,
    swap_features,
)
from flyball.reference.data import add_total, gather, gather_labels, swap_axes
from flyball.reference.dense import dense_backward, dense_batch_norm_inference, dense_forward, matmul
from flyball.reference.dropout import (
    add_branch,
    alpha_dropout_backward,
    alpha_dropout_forward,
    dropout_backward,
    dropout_forward,
    dropout_inference,
    dropout_mask,
)
from flyball.reference.ghost_norm import ghost_batch_norm_backward, ghost_batch_norm_forward
from flyball.reference.layer_norm import (
    group_norm_backward,
    group_norm_forward,
    layer_norm_backward,
    layer_norm_forward,
    rms_norm_backward,
    rms_norm_forward,
)
from flyball.reference.loss import (
    loss_weights,
    pointwise_loss,
    softmax_cross_entropy,
    softmax_cross_entropy_soft,
)
from flyball.reference.norm import (
    batch_norm_apply,
    batch_norm_backward,
    batch_norm_backward_apply,
    batch_norm_backward_sums,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_moments,
    batch_norm_statistics,
    combine_moments,
)
from flyball.reference.random import (
    gaussian_dropout_backward,
    gaussian_dropout_forward,
    gaussian_noise_forward,
    random_integers,
    random_normal,
    random_permutation,
    random_truncated_normal,
    random_uniform,
)
from flyball.reference.update import (
    adadelta_update,
    adagrad_update,
    adam_update,
    adamax_update,
    lion_update,
    rmsprop_update,
    sgd_update,
)
from flyball.reference.weights import accumulate, average_update, clip_scale, constrain_norm, squared_norm

name: str = "reference"


__all__ = [
    "accumulate",
    "activation_backward",
    "activation_forward",
    "activity_penalty",
    "activity_penalty_backward",
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "add_branch",
    "add_noise",
    "add_total",
    "adjust_pixels",
    "affine_matrices",
    "affine_transform",
    "alpha_dropout_backward",
    "alpha_dropout_forward",
    "average_update",
    "batch_norm_apply",
    "batch_norm_backward",
    "batch_norm_backward_apply",
    "batch_norm_backward_sums",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_moments",
    "batch_norm_statistics",
    "clip_scale",
    "combine_moments",
    "constrain_norm",
    "cut_boxes",
    "dense_backward",
    "dense_batch_norm_inference",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "dropout_inference",
    "dropout_mask",
    "gather",
    "gather_labels",
    "gaussian_dropout_backward",
    "gaussian_dropout_forward",
    "gaussian_noise_forward",
    "ghost_batch_norm_backward",
    "ghost_batch_norm_forward",
    "group_norm_backward",
    "group_norm_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "lion_update",
    "log_softmax_backward",
    "log_softmax_forward",
    "loss_weights",
    "matmul",
    "mix_rows",
    "mix_weights",
    "name",
    "partner_rows",
    "paste_boxes",
    "pointwise_loss",
    "prelu_backward",
    "prelu_forward",
    "random_integers",
    "random_normal",
    "random_permutation",
    "random_truncated_normal",
    "random_uniform",
    "relu_backward",
    "relu_forward",
    "rms_norm_backward",
    "rms_norm_forward",
    "rmsprop_update",
    "sgd_update",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_soft",
    "softmax_forward",
    "squared_norm",
    "swap_axes",
    "swap_features",
]
