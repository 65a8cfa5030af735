"""Merging of neighbouring nodes that would otherwise walk memory twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flyball.backend import ACTIVATIONS
from flyball.program.nodes import ActivationNode, AffineNode, BatchNormNode, DenseNode, DropoutNode, TransposeNode

if TYPE_CHECKING:
    from flyball.program.nodes import Node


def fuse(nodes: list[Node], *, training: bool) -> list[Node]:
    """Return the nodes with each one merged into its predecessor where :func:`merge` can."""
    fused: list[Node] = []
    for node in nodes:
        merged = merge(fused[-1], node, training) if fused else None
        if merged is None:
            fused.append(node)
        elif isinstance(merged, TransposeNode) and merged.moves_nothing:
            fused.pop()
        else:
            fused[-1] = merged
    return fused


def merge(first: Node, second: Node, training: bool) -> Node | None:
    """Return one node that does what the two do, or None where there is none."""
    match first, second:
        case _, ActivationNode(activation="linear"):
            return first
        case _, DropoutNode(rate=0.0):
            return first
        case DenseNode(activation="linear"), ActivationNode(activation=name, alpha=alpha) if name in ACTIVATIONS:
            if training and ACTIVATIONS[name] == "x":  # the backward pass asks for what would not be kept
                return None
            return replace(first, activation=name, alpha=alpha)
        case DenseNode(activation="linear", norm=None), BatchNormNode(activation="linear", channels_first=False) if (
            not training
        ):
            return replace(first, norm=second)
        case BatchNormNode(activation="linear", rate=0.0), ActivationNode(activation="relu" as name):
            return replace(first, activation=name)
        case BatchNormNode(rate=0.0, frozen=False), DropoutNode(rate=rate, seed=seed, elementwise=True) if training:
            return replace(first, rate=rate, seed=seed)
        case TransposeNode(), TransposeNode():
            return first.then(second)
        case AffineNode(), AffineNode() if training:  # elsewhere there are crops only, one after the other
            return first.then(second)
    return None
