"""Operations for a network of one's own: NumPy arrays in, NumPy arrays out, forward and backward in pairs.

Every function takes float32 or float64 arrays, all of one dtype, and returns the same; ``out=`` receives a result
without an allocation. Inputs are used as they are; only one that is not C-contiguous, not aligned or in the other
byte order is copied, once. Arrays that are written to (``out``, weights, optimiser state, running statistics) are
never copied: one that does not fit is refused. Empty data is refused; an update of no weights does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball._checks import no_attribute as _no_attribute
from flyball.functional._step import UpdateOptions, UpdateRange
from flyball.functional.activation import (
    activation_backward,
    activation_forward,
    activity_penalty,
    activity_penalty_backward,
    log_softmax_backward,
    log_softmax_forward,
    softmax_backward,
    softmax_forward,
)
from flyball.functional.alpha_dropout import alpha_dropout_backward, alpha_dropout_forward
from flyball.functional.augment import affine_matrices, affine_transform, augment_images
from flyball.functional.colour import adjust_pixels, adjust_tones
from flyball.functional.data import gather, swap_axes
from flyball.functional.dense import (
    DenseGradients,
    dense_backward,
    dense_batch_norm_inference,
    dense_forward,
    matmul,
)
from flyball.functional.dropout import (
    add_branch,
    dropout_backward,
    dropout_forward,
    dropout_inference,
    dropout_mask,
)
from flyball.functional.group_norm import (
    GroupNorm,
    GroupNormGradients,
    group_norm_backward,
    group_norm_forward,
    instance_norm_backward,
    instance_norm_forward,
)
from flyball.functional.layer_norm import (
    LayerNorm,
    LayerNormGradients,
    RmsNorm,
    RmsNormGradients,
    layer_norm_backward,
    layer_norm_forward,
    rms_norm_backward,
    rms_norm_forward,
)
from flyball.functional.loss import CrossEntropy, PointwiseLoss, pointwise_loss, softmax_cross_entropy
from flyball.functional.mixing import Mixed, cut_mix, mix_up, random_erasing, swap_features
from flyball.functional.noise import (
    add_noise,
    gaussian_dropout_backward,
    gaussian_dropout_forward,
    gaussian_noise_forward,
)
from flyball.functional.norm import (
    BatchNorm,
    BatchNormGradients,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
)
from flyball.functional.norm_steps import (
    BatchNormSums,
    Moments,
    PopulationStatistics,
    batch_norm_apply,
    batch_norm_backward_apply,
    batch_norm_backward_sums,
    batch_norm_moments,
    batch_norm_statistics,
    combine_moments,
    population_statistics,
)
from flyball.functional.random import (
    random_integers,
    random_normal,
    random_permutation,
    random_truncated_normal,
    random_uniform,
)
from flyball.functional.rectifiers import (
    PreluGradients,
    prelu_backward,
    prelu_forward,
    relu_backward,
    relu_forward,
)
from flyball.functional.row_loss import overlap_loss, row_loss
from flyball.functional.update import (
    adadelta_update,
    adagrad_update,
    adam_update,
    adamax_update,
    lion_update,
    rmsprop_update,
    sgd_update,
)
from flyball.functional.weights import (
    OrthogonalPenalty,
    accumulate,
    average_update,
    clip_scale,
    constrain_norm,
    orthogonal_penalty,
    squared_norm,
)

__all__ = [
    "BatchNorm",
    "BatchNormGradients",
    "BatchNormSums",
    "CrossEntropy",
    "DenseGradients",
    "GroupNorm",
    "GroupNormGradients",
    "LayerNorm",
    "LayerNormGradients",
    "Mixed",
    "Moments",
    "OrthogonalPenalty",
    "PointwiseLoss",
    "PopulationStatistics",
    "PreluGradients",
    "RmsNorm",
    "RmsNormGradients",
    "UpdateOptions",
    "UpdateRange",
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
    "adjust_pixels",
    "adjust_tones",
    "affine_matrices",
    "affine_transform",
    "alpha_dropout_backward",
    "alpha_dropout_forward",
    "augment_images",
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
    "cut_mix",
    "dense_backward",
    "dense_batch_norm_inference",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "dropout_inference",
    "dropout_mask",
    "gather",
    "gaussian_dropout_backward",
    "gaussian_dropout_forward",
    "gaussian_noise_forward",
    "group_norm_backward",
    "group_norm_forward",
    "instance_norm_backward",
    "instance_norm_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "lion_update",
    "log_softmax_backward",
    "log_softmax_forward",
    "matmul",
    "mix_up",
    "orthogonal_penalty",
    "overlap_loss",
    "pointwise_loss",
    "population_statistics",
    "prelu_backward",
    "prelu_forward",
    "random_erasing",
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
    "row_loss",
    "sgd_update",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_forward",
    "squared_norm",
    "swap_axes",
    "swap_features",
]


if not TYPE_CHECKING:  # type checkers know the names

    def __getattr__(name: str) -> Any:
        raise _no_attribute(__name__, name, __all__)


del globals()["dropout"]  # the module, which would be in the place of PyTorch's name for a function
