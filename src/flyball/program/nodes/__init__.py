"""What layers lower to: nodes, each one forward step of a network and, in reverse, one backward step.

A layer returns its nodes unfused; :mod:`flyball.program.fusion` merges neighbours; each node then writes its
instructions with :class:`flyball.program.lowering.Lowering`. One file a family, as everywhere.
"""

from __future__ import annotations

from flyball.program.nodes.activation import ActivationNode
from flyball.program.nodes.augment import AffineNode, AugmentNode, PixelsNode, Ranges, ResampleNode
from flyball.program.nodes.base import Node, Projection, Weight
from flyball.program.nodes.dense import DenseNode
from flyball.program.nodes.dropout import DropoutNode
from flyball.program.nodes.mixing import BoxNode, MixNode, SwapNode
from flyball.program.nodes.norm import BatchNormNode, GroupNormNode, LayerNormNode, RMSNormNode, UnitNormNode
from flyball.program.nodes.scale import ScaleNode
from flyball.program.nodes.shape import ReshapeNode

__all__ = [
    "ActivationNode",
    "AffineNode",
    "AugmentNode",
    "BatchNormNode",
    "BoxNode",
    "DenseNode",
    "DropoutNode",
    "GroupNormNode",
    "LayerNormNode",
    "MixNode",
    "Node",
    "PixelsNode",
    "Projection",
    "RMSNormNode",
    "Ranges",
    "ResampleNode",
    "ReshapeNode",
    "ScaleNode",
    "SwapNode",
    "UnitNormNode",
    "Weight",
]
