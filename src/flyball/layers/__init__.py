"""Layers under the names, arguments and defaults of Keras 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball._registry import Registry, serialize
from flyball.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from flyball.layers.augmentation import (
    RandomAffine,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from flyball.layers.base import Layer
from flyball.layers.colour import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from flyball.layers.core import Dense, Input, InputLayer
from flyball.layers.dropout import AlphaDropout, Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from flyball.layers.mixing import CutMix, MixUp, RandomErasing, SwapNoise
from flyball.layers.noise import FeatureNoise, GaussianDropout, GaussianNoise
from flyball.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from flyball.layers.penalty import ActivityRegularization
from flyball.layers.preprocessing import Normalization, Rescaling
from flyball.layers.residual import Residual
from flyball.layers.resizing import CenterCrop, Resizing
from flyball.layers.shape import Flatten, Permute, Reshape
from flyball.layers.tones import RandomInvert, RandomPosterization, Solarization

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "CenterCrop",
    "CutMix",
    "Dense",
    "Dropout",
    "FeatureNoise",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MixUp",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "RandomAffine",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Residual",
    "Resizing",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SwapNoise",
    "UnitNormalization",
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
    "p_re_lu": PReLU,
    "softmax": Softmax,
    "flatten": Flatten,
    "reshape": Reshape,
    "permute": Permute,
    "batch_normalization": BatchNormalization,
    "layer_normalization": LayerNormalization,
    "group_normalization": GroupNormalization,
    "rms_normalization": RMSNormalization,
    "unit_normalization": UnitNormalization,
    "dropout": Dropout,
    "alpha_dropout": AlphaDropout,
    "spatial_dropout1d": SpatialDropout1D,
    "spatial_dropout2d": SpatialDropout2D,
    "spatial_dropout3d": SpatialDropout3D,
    "gaussian_noise": GaussianNoise,
    "gaussian_dropout": GaussianDropout,
    "activity_regularization": ActivityRegularization,
    "residual": Residual,
    "random_affine": RandomAffine,
    "random_crop": RandomCrop,
    "random_flip": RandomFlip,
    "random_rotation": RandomRotation,
    "random_shear": RandomShear,
    "random_translation": RandomTranslation,
    "random_zoom": RandomZoom,
    "random_brightness": RandomBrightness,
    "random_color_degeneration": RandomColorDegeneration,
    "random_color_jitter": RandomColorJitter,
    "random_contrast": RandomContrast,
    "random_grayscale": RandomGrayscale,
    "random_hue": RandomHue,
    "random_invert": RandomInvert,
    "random_posterization": RandomPosterization,
    "random_saturation": RandomSaturation,
    "solarization": Solarization,
    "cut_mix": CutMix,
    "mix_up": MixUp,
    "random_erasing": RandomErasing,
    "swap_noise": SwapNoise,
    "feature_noise": FeatureNoise,
    "normalization": Normalization,
    "rescaling": Rescaling,
    "center_crop": CenterCrop,
    "resizing": Resizing,
}
REGISTRY: Registry[Layer] = Registry("layer", Layer, _names)  # type: ignore[type-abstract]  # which is never made


def deserialize(config: object) -> Layer:
    """Make a layer from ``{"class_name": ..., "config": {...}}``, what :func:`serialize` returned.

    Raises
    ------
    ValueError, TypeError
        If it describes no layer of this module.
    """
    return REGISTRY.deserialize(config)


from_config = deserialize


if not TYPE_CHECKING:  # type checkers know the names

    def __getattr__(name: str) -> Any:
        raise _checks.no_attribute(__name__, name, __all__)
