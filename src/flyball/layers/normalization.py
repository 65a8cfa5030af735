"""Normalisations: over a batch, over samples, over groups of channels."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Unpack

from flyball import _checks, constraints, initializers, regularizers
from flyball.layers._axes import channels_first, trailing_axes
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import BatchNormNode, GroupNormNode, LayerNormNode, RMSNormNode, UnitNormNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node, Weight


class Normalisation(Layer):
    """What ends in ``gamma * x + beta``: the two weights and what may be said of them."""

    def __init__(
        self,
        axis: int | Sequence[int],
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: object,
        gamma_initializer: object,
        beta_regularizer: object,
        gamma_regularizer: object,
        beta_constraint: object,
        gamma_constraint: object,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.axis = _checks.axes("axis", axis)
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")
        self.center = _checks.flag("center", center)
        self.scale = _checks.flag("scale", scale)
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.beta_regularizer = regularizers.get(beta_regularizer, "beta_regularizer")
        self.gamma_regularizer = regularizers.get(gamma_regularizer, "gamma_regularizer")
        self.beta_constraint = constraints.get(beta_constraint, "beta_constraint")
        self.gamma_constraint = constraints.get(gamma_constraint, "gamma_constraint")
        self.gamma: Weight | None = None
        self.beta: Weight | None = None

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare gamma and beta."""
        shape = self.weights_shape(input_shape)
        if self.scale:
            self.gamma = self.add_weight(
                "gamma", shape, self.gamma_initializer, self.gamma_regularizer, self.gamma_constraint, decays=False
            )
        if self.center:
            self.beta = self.add_weight(
                "beta", shape, self.beta_initializer, self.beta_regularizer, self.beta_constraint, decays=False
            )

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        self.weights_shape(input_shape)
        return input_shape

    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of gamma and beta; raise ValueError where ``axis`` is not possible."""
        raise NotImplementedError


def channels(axis: int | list[int], input_shape: tuple[int, ...]) -> tuple[bool, int]:
    """Return whether channels come first, and how many there are."""
    if isinstance(axis, list):
        _checks.refuse("axis", "one axis", axis)
    first = channels_first(axis, input_shape)
    return first, input_shape[0 if first else -1]


class BatchNormalization(Normalisation):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` for each channel.

    In training, mean and variance (over n, not n - 1) are the batch's, of images over all positions too, and
    ``moving = momentum * moving + (1 - momentum) * batch`` follows them; in inference they are the moving ones. A batch
    of one value a channel has no variance, and is refused in training. With ``trainable=False`` it computes as in
    inference always, as in Keras. Ioffe and Szegedy 2015.

    Parameters
    ----------
    axis : int
        The channels' axis: -1 (channels last) or 1 (channels first).
    momentum : float
        How much of the old moving statistics stays at each step, in [0, 1]. (PyTorch's ``momentum`` is 1 minus this.)
    epsilon : float
        Added to the variance, positive.
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : str or Initializer
        First values.
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
        Penalties added to the loss.
    beta_constraint, gamma_constraint : str or Constraint, optional
        What the weights must be after each step.
    synchronized : bool
        False: statistics are this process'.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        moving_mean_initializer: object = "zeros",
        moving_variance_initializer: object = "ones",
        beta_regularizer: object = None,
        gamma_regularizer: object = None,
        beta_constraint: object = None,
        gamma_constraint: object = None,
        synchronized: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )
        self.momentum = _checks.number("momentum", momentum, "[0, 1]")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, "moving_variance_initializer")
        self.synchronized = _checks.flag("synchronized", synchronized)
        if self.synchronized:
            _checks.refuse("synchronized", "False: a model trains in one process", synchronized)
        self.moving_mean: Weight | None = None
        self.moving_variance: Weight | None = None

    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(channels,)``."""
        return (channels(self.axis, input_shape)[1],)

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare gamma, beta and the moving statistics."""
        super().create_weights(input_shape)
        shape = self.weights_shape(input_shape)
        self.moving_mean = self.add_weight(
            "moving_mean", shape, self.moving_mean_initializer, trainable=False, decays=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False, decays=False
        )

    def lower(self) -> list[Node]:
        """Return a batch-normalisation node."""
        shape = self.require_built()
        first, count = channels(self.axis, shape)
        return [
            BatchNormNode(
                self.name,
                self.gamma,
                self.beta,
                self.required(self.moving_mean),
                self.required(self.moving_variance),
                self.momentum,
                self.epsilon,
                channels_first=first,
                positions=prod(shape) // count,
                frozen=not self.trainable,
            )
        ]


class LayerNormalization(Normalisation):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, mean and variance those of a sample's ``axis``.

    Ba, Kiros and Hinton 2016.

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or several up to the last; gamma and beta have their shape.
    epsilon : float
        Added to the variance, positive.
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer : str or Initializer
        First values.
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
        Penalties added to the loss.
    beta_constraint, gamma_constraint : str or Constraint, optional
        What the weights must be after each step.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        beta_regularizer: object = None,
        gamma_regularizer: object = None,
        beta_constraint: object = None,
        gamma_constraint: object = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )

    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the extents of ``axis``."""
        return trailing_axes(self.axis, input_shape)

    def lower(self) -> list[Node]:
        """Return a layer-normalisation node."""
        axes = len(self.weights_shape(self.require_built()))
        return [LayerNormNode(self.name, self.gamma, self.beta, self.epsilon, axes)]


class GroupNormalization(Normalisation):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, mean and variance of groups of a sample's channels.

    Wu and He 2018. With one channel a group it is instance normalisation (Ulyanov et al. 2016).

    Parameters
    ----------
    groups : int
        A divisor of the number of channels, or -1: as many as channels.
    axis : int
        The channels' axis: -1 (channels last) or 1 (channels first).
    epsilon : float
        Added to the variance, positive.
    center, scale : bool
        Whether there is a beta, a gamma.
    beta_initializer, gamma_initializer : str or Initializer
        First values.
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
        Penalties added to the loss.
    beta_constraint, gamma_constraint : str or Constraint, optional
        What the weights must be after each step.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        beta_regularizer: object = None,
        gamma_regularizer: object = None,
        beta_constraint: object = None,
        gamma_constraint: object = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **options,
        )
        self.groups = _checks.integer("groups", groups, -1)
        if self.groups == 0:
            _checks.refuse("groups", "a positive integer, or -1 for as many as channels", groups)

    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(channels,)``."""
        _, count = channels(self.axis, input_shape)
        if count % self.groups:
            _checks.refuse("groups", f"a divisor of the {count} channels, or -1", self.groups)
        return (count,)

    def lower(self) -> list[Node]:
        """Return a group-normalisation node."""
        first, count = channels(self.axis, self.require_built())
        groups = count if self.groups == -1 else self.groups
        return [GroupNormNode(self.name, self.gamma, self.beta, self.epsilon, groups, first)]


class RMSNormalization(Layer):
    """``scale * x / sqrt(mean(x**2) + epsilon)``, the mean that of a sample's ``axis``. Zhang and Sennrich 2019.

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or several up to the last; the weight ``scale`` has their shape.
    epsilon : float
        Positive.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = _checks.axes("axis", axis)
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")
        self.scale: Weight | None = None

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        trailing_axes(self.axis, input_shape)
        return input_shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare the scale."""
        shape = trailing_axes(self.axis, input_shape)
        self.scale = self.add_weight("scale", shape, initializers.Ones(), decays=False)

    def lower(self) -> list[Node]:
        """Return a node of root-mean-square normalisation."""
        axes = len(trailing_axes(self.axis, self.require_built()))
        return [RMSNormNode(self.name, self.scale, self.epsilon, axes)]


class UnitNormalization(Layer):
    """``x / sqrt(sum(x**2))``: each sample's ``axis`` with Euclidean length 1; zeros stay zeros.

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or several up to the last.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = _checks.axes("axis", axis)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        trailing_axes(self.axis, input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a node that divides by the length."""
        return [UnitNormNode(self.name, len(trailing_axes(self.axis, self.require_built())))]
