"""Pictures of training and of what regularises it, as Display objects in scikit-learn's convention.

A Display is made by a constructor that names what it is made from (``from_history``, ``from_model``, ...), which does
the computing, and draws with ``plot(ax=None)``, as often as wanted; the arrays it draws are its attributes, and after
``plot`` so are ``ax_`` and ``figure_``. Matplotlib is imported by ``plot``, and brought by ``pip install
"flyball[plot]"``.
"""

from __future__ import annotations

from flyball.plotting.activations import ActivationHistogramDisplay
from flyball.plotting.augmentation import AugmentationDisplay
from flyball.plotting.learning_curve import LearningCurveDisplay
from flyball.plotting.minima import FlatMinimaDisplay
from flyball.plotting.penalty import PenaltyContourDisplay
from flyball.plotting.schedules import ScheduleDisplay
from flyball.plotting.subnetworks import SubnetworksDisplay
from flyball.plotting.weights import WeightDisplay

__all__ = [
    "ActivationHistogramDisplay",
    "AugmentationDisplay",
    "FlatMinimaDisplay",
    "LearningCurveDisplay",
    "PenaltyContourDisplay",
    "ScheduleDisplay",
    "SubnetworksDisplay",
    "WeightDisplay",
]
