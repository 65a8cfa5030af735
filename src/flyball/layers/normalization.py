"""Normalisations: over a batch, over samples, over groups of channels."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import TYPE_CHECKING, Unpack

from flyball import _checks, constraints, initializers, regularizers
from flyball.layers._axes import extents, over_last_axes, sample_axes
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

    @abstractmethod
    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of gamma and beta; raise ValueError where ``axis`` is not possible."""


class ChannelNormalisation(Normalisation):
    """What has a gamma and a beta for each channel: the one axis that ``axis`` names."""

    def channel_axis(self, input_shape: tuple[int, ...]) -> int:
        """Return the channels' axis of a sample."""
        if isinstance(self.axis, list):
            _checks.refuse("axis", "one axis", self.axis)
        return sample_axes(self.axis, input_shape)[0]

    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(channels,)``."""
        return (input_shape[self.channel_axis(input_shape)],)

    def lower(self) -> list[Node]:
        """Return a node, of channels that are brought to the end where they are neither there nor on the first axis."""
        shape = self.require_built()
        axis = self.channel_axis(shape)
        if axis == len(shape) - 1:  # which wins where it is the first axis as well
            return [self.node(shape, channels_first=False)]
        if axis == 0:
            return [self.node(shape, channels_first=True)]
        return over_last_axes(self.name, [axis], shape, [self.node(shape, channels_first=False)])

    @abstractmethod
    def node(self, shape: tuple[int, ...], *, channels_first: bool) -> Node:
        """Return the node that normalises samples of ``shape``, their channels on the first axis or the last."""


class BatchNormalization(ChannelNormalisation):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` for each channel.

    In training, mean and variance (over n, not n - 1) are the batch's, of images over all positions too, and
    ``moving = momentum * moving + (1 - momentum) * batch`` follows them; in inference they are the moving ones. A batch
    of one value a channel has no variance, and is refused in training. With ``trainable=False`` it computes as in
    inference always, as in Keras. Ioffe and Szegedy 2015.

    With ``virtual_batch_size`` it is ghost batch normalisation: each group of so many samples of a batch, in its order,
    has statistics of its own; the last group has those that remain too, and a batch of fewer samples is one group.
    The moving statistics take in one group after the other. Hoffer, Hubara and Soudry 2017.

    Parameters
    ----------
    axis : int
        The channels' axis: -1 (channels last), 1 (channels first), or another one, at the cost of two passes that
        bring it to the end and back.
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
    virtual_batch_size : int, optional
        Samples of a group, at least 2 where a sample has one value a channel. (Keras 2 and TensorFlow 1 have it, and
        refuse batches of no multiple.)
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
        virtual_batch_size: int | None = None,
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
        self.virtual_batch_size = _checks.optional_count("virtual_batch_size", virtual_batch_size)
        self.moving_mean: Weight | None = None
        self.moving_variance: Weight | None = None

    def weights_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(channels,)``; refuse groups without a variance."""
        shape = super().weights_shape(input_shape)
        if self.virtual_batch_size == 1 and prod(input_shape) == prod(shape):
            expectation = "at least 2 for batch statistics of samples with one value a channel"
            _checks.refuse("virtual_batch_size", expectation, self.virtual_batch_size)
        return shape

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

    def node(self, shape: tuple[int, ...], *, channels_first: bool) -> Node:
        """Return a batch-normalisation node."""
        mean = self.required(self.moving_mean)
        return BatchNormNode(
            self.name,
            self.gamma,
            self.beta,
            mean,
            self.required(self.moving_variance),
            self.momentum,
            self.epsilon,
            channels_first=channels_first,
            positions=prod(shape) // mean.size,
            frozen=not self.trainable,
            group=self.virtual_batch_size,
        )


class LayerNormalization(Normalisation):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, mean and variance those of a sample's ``axis``.

    Ba, Kiros and Hinton 2016.

    Parameters
    ----------
    axis : int or sequence of int
        One axis of a sample or several; gamma and beta have their shape. Other than the last ones cost two passes
        more, which bring them there and back.
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
        return extents(sample_axes(self.axis, input_shape), input_shape)

    def lower(self) -> list[Node]:
        """Return a layer-normalisation node, of axes that are brought to the end."""
        shape = self.require_built()
        axes = sample_axes(self.axis, shape)
        node = LayerNormNode(self.name, self.gamma, self.beta, self.epsilon, len(axes))
        return over_last_axes(self.name, axes, shape, [node])


class GroupNormalization(ChannelNormalisation):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, mean and variance of groups of a sample's channels.

    Wu and He 2018. With one channel a group it is instance normalisation (Ulyanov et al. 2016).

    Parameters
    ----------
    groups : int
        A divisor of the number of channels, or -1: as many as channels.
    axis : int
        The channels' axis: -1 (channels last), 1 (channels first), or another one, at the cost of two passes that
        bring it to the end and back.
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
        (count,) = super().weights_shape(input_shape)
        if count % self.groups:
            _checks.refuse("groups", f"a divisor of the {count} channels, or -1", self.groups)
        return (count,)

    def node(self, shape: tuple[int, ...], *, channels_first: bool) -> Node:
        """Return a group-normalisation node."""
        (count,) = self.weights_shape(shape)
        groups = count if self.groups == -1 else self.groups
        return GroupNormNode(self.name, self.gamma, self.beta, self.epsilon, groups, channels_first)


class RMSNormalization(Layer):
    """``scale * x / sqrt(mean(x**2) + epsilon)``, the mean that of a sample's ``axis``. Zhang and Sennrich 2019.

    Parameters
    ----------
    axis : int or sequence of int
        One axis of a sample or several; the weight ``scale`` has their shape. Other than the last ones cost two
        passes more, which bring them there and back.
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
        sample_axes(self.axis, input_shape)
        return input_shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare the scale."""
        shape = extents(sample_axes(self.axis, input_shape), input_shape)
        self.scale = self.add_weight("scale", shape, initializers.Ones(), decays=False)

    def lower(self) -> list[Node]:
        """Return a node of root-mean-square normalisation, of axes that are brought to the end."""
        shape = self.require_built()
        axes = sample_axes(self.axis, shape)
        return over_last_axes(self.name, axes, shape, [RMSNormNode(self.name, self.scale, self.epsilon, len(axes))])


class UnitNormalization(Layer):
    """``x / sqrt(sum(x**2))``: each sample's ``axis`` with Euclidean length 1; zeros stay zeros.

    Parameters
    ----------
    axis : int or sequence of int
        One axis of a sample or several. Other than the last ones cost two passes more, which bring them there and
        back.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = _checks.axes("axis", axis)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        sample_axes(self.axis, input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a node that divides by the length, of axes that are brought to the end."""
        shape = self.require_built()
        axes = sample_axes(self.axis, shape)
        return over_last_axes(self.name, axes, shape, [UnitNormNode(self.name, len(axes))])
