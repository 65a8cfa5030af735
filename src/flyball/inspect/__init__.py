"""Looking into a model: what its layers put out, and whether its gradients are right."""

from __future__ import annotations

from flyball.inspect.activations import ActivationStatistics, LayerActivations, activation_statistics
from flyball.inspect.gradients import GradientCheck, WeightCheck, check_gradients

__all__ = [
    "ActivationStatistics",
    "GradientCheck",
    "LayerActivations",
    "WeightCheck",
    "activation_statistics",
    "check_gradients",
]
