"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from flyball import _checks, constraints, initializers, regularizers
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import BatchNormNode

if TYPE_CHECKING:
    from flyball.program.nodes import Node, Weight


class BatchNormalization(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` per column.

    In training, mean and variance (over n, not n - 1) are the batch's, and
    ``moving = momentum * moving + (1 - momentum) * batch`` follows them; in inference they are the moving ones. A batch
    of one has no variance, and is refused in training. Ioffe and Szegedy 2015.

    Parameters
    ----------
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
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.
    """

    def __init__(
        self,
        *,
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
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.momentum = _checks.number("momentum", momentum, "[0, 1]")
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")
        self.center = _checks.flag("center", center)
        self.scale = _checks.flag("scale", scale)
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, "moving_variance_initializer")
        self.beta_regularizer = regularizers.get(beta_regularizer, "beta_regularizer")
        self.gamma_regularizer = regularizers.get(gamma_regularizer, "gamma_regularizer")
        self.beta_constraint = constraints.get(beta_constraint, "beta_constraint")
        self.gamma_constraint = constraints.get(gamma_constraint, "gamma_constraint")
        self.gamma: Weight | None = None
        self.beta: Weight | None = None
        self.moving_mean: Weight | None = None
        self.moving_variance: Weight | None = None

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        if len(input_shape) != 1:
            _checks.refuse("input_shape", "(features,): one axis beside the batch", input_shape)
        return input_shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare gamma, beta and the moving statistics."""
        if self.scale:
            self.gamma = self.add_weight(
                "gamma",
                input_shape,
                self.gamma_initializer,
                self.gamma_regularizer,
                self.gamma_constraint,
                decays=False,
            )
        if self.center:
            self.beta = self.add_weight(
                "beta", input_shape, self.beta_initializer, self.beta_regularizer, self.beta_constraint, decays=False
            )
        self.moving_mean = self.add_weight(
            "moving_mean", input_shape, self.moving_mean_initializer, trainable=False, decays=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", input_shape, self.moving_variance_initializer, trainable=False, decays=False
        )

    def lower(self) -> list[Node]:
        """Return a batch-normalisation node."""
        if self.moving_mean is None or self.moving_variance is None:
            msg = f"{self.name} must be built before it is lowered"
            raise ValueError(msg)
        if not self.trainable:  # Keras runs a frozen one in inference mode, for which there is no node
            msg = f"{self.name}: trainable must be True for batch normalisation, got False"
            raise ValueError(msg)
        return [
            BatchNormNode(
                self.name,
                self.gamma,
                self.beta,
                self.moving_mean,
                self.moving_variance,
                self.momentum,
                self.epsilon,
            )
        ]
