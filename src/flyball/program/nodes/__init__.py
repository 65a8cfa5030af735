"""What layers lower to: nodes, each one forward step of a network and, in reverse, one backward step.

A layer returns its nodes unfused; :mod:`flyball.program.fusion` merges neighbours; each node then writes its
instructions with :class:`flyball.program.lowering.Lowering`. One file a family, as everywhere.
"""

from __future__ import annotations

from flyball.program.nodes.activation import ActivationNode, PreluNode, ReluNode
from flyball.program.nodes.augment import AffineNode, AugmentNode, PixelsNode, Ranges, ResampleNode, TonesNode
from flyball.program.nodes.base import Node, Orthogonality, Projection, Weight
from flyball.program.nodes.dense import DenseNode
from flyball.program.nodes.dropout import AlphaDropoutNode, DropoutNode
from flyball.program.nodes.mixing import BoxNode, MixNode, SwapNode
from flyball.program.nodes.noise import FeatureNoiseNode, GaussianDropoutNode, GaussianNoiseNode
from flyball.program.nodes.norm import BatchNormNode, GroupNormNode, LayerNormNode, RMSNormNode, UnitNormNode
from flyball.program.nodes.penalty import ActivityPenaltyNode
from flyball.program.nodes.residual import ResidualNode
from flyball.program.nodes.scale import ScaleNode
from flyball.program.nodes.shape import ReshapeNode, TransposeNode

__all__ = [
    "ActivationNode",
    "ActivityPenaltyNode",
    "AffineNode",
    "AlphaDropoutNode",
    "AugmentNode",
    "BatchNormNode",
    "BoxNode",
    "DenseNode",
    "DropoutNode",
    "FeatureNoiseNode",
    "GaussianDropoutNode",
    "GaussianNoiseNode",
    "GroupNormNode",
    "LayerNormNode",
    "MixNode",
    "Node",
    "Orthogonality",
    "PixelsNode",
    "PreluNode",
    "Projection",
    "RMSNormNode",
    "Ranges",
    "ReluNode",
    "ResampleNode",
    "ReshapeNode",
    "ResidualNode",
    "ScaleNode",
    "SwapNode",
    "TonesNode",
    "TransposeNode",
    "UnitNormNode",
    "Weight",
]
