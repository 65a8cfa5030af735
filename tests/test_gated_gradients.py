"""Layers behind ReLU and dropout compute their input's gradient only where it is asked for: the same training."""

from __future__ import annotations

import numpy as np
import pytest
from test_lowering import batch_norm, build, train, weight

from flyball.program.nodes import (
    ActivationNode,
    AlphaDropoutNode,
    DenseNode,
    DropoutNode,
    ReluNode,
    ReshapeNode,
    ResidualNode,
    dense,
)
from flyball.program.requests import Data

SIZE = 96


def layer(i, units=SIZE, **options):
    return DenseNode(f"dense{i}", weight(f"dense{i}/w", (SIZE, units), i), **options)


def relu(name="relu"):
    return ActivationNode(name, "relu")


# Nodes before the second dense layer, and whether its input's gradient is gated.
BEFORE = {
    "norm-relu-dropout": ([batch_norm(SIZE), relu(), DropoutNode("drop", 0.5)], True),
    "relu-dropout": ([relu(), DropoutNode("drop", 0.5)], True),
    "least-dropout": ([relu(), DropoutNode("drop", 0.2)], True),
    "dropout-twice": ([relu(), DropoutNode("drop", 0.15), DropoutNode("drop2", 0.15)], True),
    "norm-dropout-relu-of-its-own": ([batch_norm(SIZE), DropoutNode("drop", 0.5), relu()], False),
    "reshaped": ([relu(), ReshapeNode("fold", (2, 48)), DropoutNode("drop", 0.5), ReshapeNode("flat", (SIZE,))], True),
    "rows-share-a-mask": ([relu(), DropoutNode("drop", 0.5, mask_shape=(1, SIZE))], True),
    "classic": ([relu(), DropoutNode("drop", 0.5, classic=True)], True),
    "little-dropout": ([relu(), DropoutNode("drop", 0.1)], False),
    "no-dropout": ([batch_norm(SIZE), relu()], False),
    "no-relu": ([batch_norm(SIZE), DropoutNode("drop", 0.5)], False),
    "another-activation": ([ActivationNode("gelu", "gelu"), DropoutNode("drop", 0.5)], False),
    "an-activation-between": ([relu(), DropoutNode("drop", 0.5), ActivationNode("gelu", "gelu")], False),
    "a-slope": ([ReluNode("leaky", 0.1, 0.0, np.inf), DropoutNode("drop", 0.5)], False),
    "alpha-dropout": ([relu(), AlphaDropoutNode("drop", 0.5)], False),
    "a-sum": ([relu(), DropoutNode("drop", 0.5), ResidualNode("sum", [ActivationNode("tanh", "tanh")])], False),
}


def trained(before, monkeypatch, *, gated, rows=130, units=64, activation="linear", more=()):
    monkeypatch.setattr(dense, "GATED_SHARE", 0.4 if gated else 0.0)
    rng = np.random.default_rng(0)
    nodes = [layer(1, activation=activation), *before, layer(2, units)]
    memory = build(nodes, more=more)
    x, y = rng.standard_normal((rows, SIZE)), rng.standard_normal((rows, units))
    program = train(nodes, memory, Data(x, y, np.arange(rows)), rows, seed=7)
    return program, memory


def flags(program):
    return [i.scalars["gated"] for i in program.instructions if i.op == "dense_backward" and i.layer == "dense2"]


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.usefixtures("each_backend")
def test_the_gradients_are_those_of_all_elements(name, monkeypatch):
    before, gated = BEFORE[name]
    program, memory = trained(before, monkeypatch, gated=True)
    assert flags(program) == [gated]
    plain_program, plain = trained(before, monkeypatch, gated=False)
    assert flags(plain_program) == [False]
    for w in memory.weights:
        if w.trainable:
            other = next(p for p in plain.weights if p.name == w.name)
            gradient = memory.gradient(w)
            assert np.any(gradient)
            np.testing.assert_allclose(gradient, plain.gradient(other), rtol=1e-9, atol=1e-12, err_msg=w.name)


def test_few_units_are_not_worth_it(monkeypatch):
    program, _ = trained(BEFORE["relu-dropout"][0], monkeypatch, gated=True, units=31)
    assert flags(program) == [False]
    program, _ = trained(BEFORE["relu-dropout"][0], monkeypatch, gated=True, units=32)
    assert flags(program) == [True]


@pytest.mark.usefixtures("each_backend")
def test_the_branch_of_a_residual_connection(monkeypatch):
    """Its first layer is gated as any other: what the shortcut adds dies behind the same ReLU."""
    before = [relu(), DropoutNode("drop", 0.5), ResidualNode("sum", [layer(3), ActivationNode("tanh", "tanh")])]
    weights = [before[-1].branch[0].w]
    program, memory = trained(before, monkeypatch, gated=True, more=weights)
    assert [i.scalars["gated"] for i in program.instructions if i.op == "dense_backward"] == [False, True, False]
    _, plain = trained(before, monkeypatch, gated=False, more=weights)
    assert np.any(memory.gradients)
    np.testing.assert_allclose(memory.gradients, plain.gradients, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("each_backend")
def test_dense_layers_with_their_own_relu(monkeypatch):
    before = [DropoutNode("drop", 0.5)]
    program, memory = trained(before, monkeypatch, gated=True, activation="relu")
    assert flags(program) == [True]
    _, plain = trained(before, monkeypatch, gated=False, activation="relu")
    assert np.any(memory.gradients)
    np.testing.assert_allclose(memory.gradients, plain.gradients, rtol=1e-9, atol=1e-12)
