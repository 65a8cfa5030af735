"""What a model shows of itself: its Program, its profile, its fingerprint."""

import hashlib
import re

import numpy as np
import pytest

import flyball as fb
from flyball import layers


def network(hidden=16, optimizer="adam"):
    fb.utils.set_random_seed(1)
    fb.utils.clear_session()
    model = fb.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(hidden),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def data(rows=96):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, 8)).astype("float32"), rng.integers(0, 3, rows)


def test_program_shows_nodes_instructions_and_buffers():
    text = str(network().program(batch_size=32))
    assert "6 nodes before fusion" in text
    assert re.search(r"BatchNorm\(.*rate=0.0", text)
    # After fusion the activation and the dropout are part of batch normalisation.
    assert re.search(r"batch_norm_forward\(.*activation='relu', rate=0.5\)", text)
    assert "relu_forward" not in text
    assert "dropout_forward" not in text
    assert re.search(r"2\.0 KiB  batch   float32  \(32, 16\)", text)


def test_work_of_products_is_counted():
    listing = network().program(batch_size=32)
    # forward 8-16-3, backward: both weight gradients, one input gradient (the first layer has none)
    products = 2 * 32 * (8 * 16 + 16 * 3 + 8 * 16 + 16 * 3 + 16 * 3)
    found = [i for i in listing.program.instructions if i.op.startswith("dense")]
    from flyball.program.work import moved_bytes, operations

    assert sum(map(operations, found)) == products
    # y (32, 16), x (32, 8), w (8, 16), b (16,)
    assert moved_bytes(found[0], 32) == 4 * (32 * 16 + 32 * 8 + 8 * 16 + 16)


def test_profile_times_every_instruction_and_leaves_no_trace():
    x, y = data()
    model, other = network(), network()
    for m in (model, other):
        m.fit(x, y, epochs=1, verbose=0)
    profile = model.profile(x, y, steps=5)
    assert model.fingerprint() == other.fingerprint()
    assert len(profile.lines) == len(model.program(x, y).program.instructions)
    assert all(line.seconds > 0 for line in profile.lines)
    assert all(line.bound in ("compute", "cache", "memory", "overhead") for line in profile.lines)
    assert profile.limits.multiply_adds > 1e9
    assert profile.limits.bandwidth > 1e8
    assert "us a step of 32 rows" in str(profile)
    assert model.profile(steps=1).rows == 32
    for m in (model, other):
        m.fit(x, y, epochs=1, verbose=0)
    assert model.fingerprint() == other.fingerprint()


@pytest.mark.parametrize(
    ("loss", "units"),
    [("sparse_categorical_crossentropy", 3), ("categorical_crossentropy", 3), ("mean_squared_error", 2)],
)
def test_profile_without_data_makes_targets_for_any_loss(loss, units):
    model = fb.Sequential([layers.Input((4,)), layers.Dense(units, activation="softmax" if units == 3 else None)])
    model.compile("sgd", loss)
    assert model.profile(steps=1).lines[0].instruction == "gather"


def test_profile_refuses_no_steps():
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        network().profile(steps=0)


def test_fingerprint_is_a_digest_of_everything_that_training_changes():
    x, y = data()
    model, other = network(), network()
    assert re.fullmatch("[0-9a-f]{64}", model.fingerprint())
    assert model.fingerprint() == other.fingerprint()
    seen = {model.fingerprint()}
    model.fit(x, y, epochs=1, verbose=0)
    seen.add(model.fingerprint())
    for weight in model.weights:
        before = weight.value.copy()
        weight.value.flat[-1] = np.nextafter(weight.value.flat[-1], np.float32(9))
        seen.add(model.fingerprint())
        weight.value[...] = before
    model.optimizer.steps += 1
    seen.add(model.fingerprint())
    model.optimizer.steps -= 1
    model._memory.slot("m")[0] += 1
    seen.add(model.fingerprint())
    assert len(seen) == 2 + len(model.weights) + 2
    assert hashlib.sha256(b"").hexdigest() not in seen


def test_fingerprint_needs_a_built_model():
    with pytest.raises(ValueError, match="model must be built"):
        fb.Sequential([layers.Dense(2)]).fingerprint()
