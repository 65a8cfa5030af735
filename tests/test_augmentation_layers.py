"""Augmentation layers inside the training step: what they do to samples and targets, and where they are absent."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import flyball
from flyball import functional, layers, losses
from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.nodes import AffineNode, ReshapeNode
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner

ndimage = pytest.importorskip("scipy.ndimage")

RNG = np.random.default_rng(5)
GREY = RNG.uniform(0.0, 255.0, (24, 10, 12))
COLOUR = RNG.uniform(0.0, 255.0, (24, 8, 8, 3))
BYTES = RNG.integers(0, 256, (24, 10, 12), dtype=np.uint8)
LABELS = np.arange(24) % 10
SPARSE = "sparse_categorical_crossentropy"


class Run:
    """One step of training, or of evaluation, of augmentation layers and a dense one."""

    def __init__(self, stack, x, y, loss, *, training=True, dtype="float64", seed=3, step=0, outputs=10):
        shape, nodes = x.shape[1:], []
        for layer in [*stack, flat := layers.Dense(outputs)]:
            if layer is flat:
                nodes.append(ReshapeNode("flatten", (int(np.prod(shape)),)))
                shape = nodes[-1].shape
            layer.build(shape)
            shape = layer.output_shape
            nodes += layer.lower()
        self.memory = Memory(flat.weights, np.dtype(dtype))
        for weight in self.memory.weights:
            weight.value[...] = np.random.default_rng(1).standard_normal(weight.shape)
        order = np.arange(len(x)) if training else None
        lowering = Lowering(nodes, self.memory, Data(x, y, order), len(x), training=training, seed=seed)
        lowering.objective(loss.objective)
        self.program = lowering.program
        self.ops = [instruction.op for instruction in self.program.instructions]
        runner(self.program).run(Steps(np.array([0, len(x)]), np.zeros(1), step))
        dense = next(i for i in self.program.instructions if i.op == "dense_forward").arrays
        self.x = dense["x"].array.reshape(-1, *(stack[-1].output_shape if stack else x.shape[1:]))
        self.logits = dense["y"].array
        self.losses = self.program.buffers["losses"].array


def sparse():
    return losses.SparseCategoricalCrossentropy(from_logits=True)


def run(stack, x, y=LABELS, loss=None, **options):
    return Run(stack, x, y, loss or sparse(), **options)


# --- channels first ----------------------------------------------------------------------------------------------

FIRST = {
    "flip": lambda order: layers.RandomFlip(data_format=order),
    "rotation": lambda order: layers.RandomRotation(0.1, data_format=order),
    "crop": lambda order: layers.RandomCrop(5, 3, data_format=order),
    "crop of a smaller image": lambda order: layers.RandomCrop(5, 17, data_format=order),
    "saturation": lambda order: layers.RandomSaturation(0.4, data_format=order),
    "hue": lambda order: layers.RandomHue(0.4, data_format=order),
    "posterization": lambda order: layers.RandomPosterization((1, 7), data_format=order),
    "erasing": lambda order: layers.RandomErasing(0.7, data_format=order),
    "cut-mix": lambda order: layers.CutMix(data_format=order),
    "resizing": lambda order: layers.Resizing(5, 7, data_format=order),
    "center crop": lambda order: layers.CenterCrop(5, 7, data_format=order),
}


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", FIRST.values(), ids=FIRST)
def test_channels_first_are_channels_last_in_another_order(make, training):
    last = run([make("channels_last")], COLOUR, training=training)
    first = run([make("channels_first")], np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2)), training=training)
    np.testing.assert_array_equal(first.x, last.x.transpose(0, 3, 1, 2))
    assert make("channels_first").compute_output_shape((3, 8, 8)) == first.x.shape[1:]


def test_neighbours_with_channels_first_are_brought_to_the_end_once_and_not_at_all_at_inference():
    stack = [make("channels_first") for name, make in FIRST.items() if name in {"flip", "rotation", "saturation"}]
    x = np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2))
    assert run(stack, x).ops.count("swap_axes") == 2
    assert run(stack, x).ops.count("affine_transform") == 1
    assert run(stack, x, training=False).ops.count("swap_axes") == 0


# --- exact moves ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(("mode", "axes"), [("horizontal", [(1,)]), ("vertical", [(0,)])])
@pytest.mark.parametrize("x", [GREY, COLOUR, BYTES], ids=["grey", "colour", "bytes"])
def test_flips_are_exact_and_half_of_all(mode, axes, x):
    got = run([layers.RandomFlip(mode)], x).x
    flipped = np.array([np.array_equal(g, np.flip(image, axes[0])) for g, image in zip(got, x, strict=True)])
    same = np.array([np.array_equal(g, image) for g, image in zip(got, x, strict=True)])
    assert (flipped ^ same).all()
    assert 4 <= flipped.sum() <= 20


def test_both_flips_are_independent():
    got = run([layers.RandomFlip()], np.repeat(GREY, 20, 0), np.repeat(LABELS, 20)).x
    images = np.repeat(GREY, 20, 0)
    counts = [
        sum(np.array_equal(g, np.flip(image, axes)) for g, image in zip(got, images, strict=True))
        for axes in ((), (0,), (1,), (0, 1))
    ]
    assert sum(counts) == 480
    assert min(counts) > 80


@pytest.mark.usefixtures("each_backend")
def test_whole_shifts_and_quarter_turns_move_pixels(dtype):
    x = GREY.astype(dtype)
    shift = layers.RandomTranslation((0.2, 0.2), (-0.25, -0.25), fill_mode="wrap")
    np.testing.assert_array_equal(run([shift], x, dtype=dtype).x, np.roll(x, (2, -3), (1, 2)))
    turn = layers.RandomRotation((0.25, 0.25))
    square = x[:, :, :10]
    np.testing.assert_array_equal(run([turn], square, dtype=dtype).x, np.rot90(square, 1, (1, 2)))


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_zoom_and_shear_are_those_of_scipy(fill_mode, interpolation):
    options = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 7.0}
    order, mode = int(interpolation == "bilinear"), {"constant": "grid-constant", "wrap": "grid-wrap"}
    middle = (np.array(GREY.shape[1:]) - 1) / 2

    def moved(matrix):
        maps = {"offset": middle - matrix @ middle, "order": order, "mode": mode.get(fill_mode, fill_mode)}
        return [ndimage.affine_transform(image, matrix, cval=7.0, prefilter=False, **maps) for image in GREY]

    zoom = layers.RandomZoom((0.3, 0.3), (-0.2, -0.2), **options)
    np.testing.assert_allclose(run([zoom], GREY).x, moved(np.diag([1.3, 0.8])), atol=1e-9)
    shear = layers.RandomShear((0.35, 0.35), (0.15, 0.15), **options)
    np.testing.assert_allclose(run([shear], GREY).x, moved(np.array([[1, 0.15], [0.35, 1]])), atol=1e-9)
    turn, angle = layers.RandomRotation((0.1, 0.1), **options), 0.2 * np.pi
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(run([turn], GREY).x, moved(matrix), atol=1e-9)


def test_amounts_are_uniform_in_their_ranges():
    layer = layers.RandomTranslation((-0.3, 0.1), 0.0, fill_mode="nearest")
    ramp = np.broadcast_to(np.arange(40.0)[:, None], (2000, 40, 2)).copy()
    shifts = -(run([layer], ramp, np.zeros(2000, np.int64)).x[:, 20, 0] - 20.0) / 40.0
    assert -0.3 <= shifts.min() < -0.295
    assert 0.095 < shifts.max() <= 0.1
    np.testing.assert_allclose(np.histogram(shifts, 4, (-0.3, 0.1))[0], 500, atol=80)


# --- one resampling ---------------------------------------------------------------------------------------------


def node_of(*stack, shape=(9, 9)):
    nodes = []
    for layer in stack:
        layer.build(shape)
        nodes += layer.lower()
        shape = layer.output_shape
    return nodes


def test_neighbours_are_one_map():
    x = RNG.standard_normal((6, 9, 9))
    stack = [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.3),
        layers.RandomZoom((0.1, 0.4)),
        layers.RandomTranslation(0.2, (0.0, 0.1)),
        layers.RandomCrop(7, 6),
    ]
    got = run(stack, x, LABELS[:6], step=4)
    assert got.ops.count("affine_transform") == got.ops.count("affine_matrices") == 1
    ranges = {"rotation": 0.3, "height_zoom": (0.1, 0.4), "height_shift": 0.2, "width_shift": (0.0, 0.1)}
    expected = functional.augment_images(x, horizontal_flip=0.5, size=(7, 6), **ranges, seed=3, step=4)
    np.testing.assert_array_equal(got.x, expected)


def map_of(node, **drawn):
    """Return the map that a node's operation makes of single-valued ranges, as a 3 by 3 matrix."""
    row = np.array([node.ranges.usual])
    out = np.empty((1, 6))
    flyball.backend.get_backend().affine_matrices(out, None, row, 9, 9, 9, 9, 0, node.isotropic, 1, 0, 0, **drawn)
    return np.vstack([out.reshape(2, 3), [0, 0, 1]])


@pytest.mark.parametrize(
    "pair",
    [
        (layers.RandomZoom((0.2, 0.2), (0.5, 0.5)), layers.RandomRotation((0.1, 0.1))),
        (layers.RandomRotation((0.1, 0.1)), layers.RandomZoom((0.2, 0.2))),
        (layers.RandomShear((0.2, 0.2), (0.1, 0.1)), layers.RandomRotation((0.1, 0.1))),
        (layers.RandomShear((0.2, 0.2), (0.1, 0.1)), layers.RandomZoom((0.2, 0.2))),
        (layers.RandomRotation((0.1, 0.1)), layers.RandomTranslation((0.1, 0.1), (0.2, 0.2))),
        (layers.RandomZoom((0.2, 0.2), (0.5, 0.5)), layers.RandomShear((0.2, 0.2))),
    ],
    ids=lambda pair: "-".join(type(layer).__name__[6:] for layer in pair),
)
def test_a_merged_map_is_the_product_of_the_two(pair):
    first, second = node_of(*pair)
    merged = first.then(second)
    np.testing.assert_allclose(map_of(merged), map_of(first) @ map_of(second), atol=1e-12)


@pytest.mark.parametrize(
    "pair",
    [
        (layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.1)),
        (layers.RandomRotation(0.1), layers.RandomZoom(0.1, 0.2)),
        (layers.RandomRotation(0.1), layers.RandomRotation(0.1)),
        (layers.RandomRotation((0.1, 0.2)), layers.RandomFlip()),
        (layers.RandomRotation(0.1), layers.RandomTranslation(0.1, 0.1, fill_mode="wrap")),
        (layers.RandomRotation(0.1, seed=1), layers.RandomTranslation(0.1, 0.1, seed=2)),
        (layers.RandomCrop(5, 5), layers.RandomRotation(0.1)),
        (layers.RandomFlip(), layers.RandomFlip()),
    ],
    ids=lambda pair: "-".join(type(layer).__name__[6:] for layer in pair),
)
def test_maps_that_are_drawn_otherwise_stay_two(pair):
    first, second = node_of(*pair)
    assert first.then(second) is None
    assert run(list(pair), RNG.standard_normal((6, 9, 9)), LABELS[:6]).ops.count("affine_transform") == 2


def test_flips_change_places_with_what_is_as_likely_to_either_side():
    for first in (layers.RandomRotation(0.1), layers.RandomTranslation(0.1, 0.1), layers.RandomCrop(5, 5)):
        one, two = node_of(first, layers.RandomFlip())
        assert isinstance(one.then(two), AffineNode)


def test_merged_policies_keep_both():
    first, second = node_of(
        layers.RandomRotation(0.2, policy={6: {"factor": 0.1}, 9: None}),
        layers.RandomTranslation(0.1, 0.3, policy={6: {"height_factor": 0.0}, 4: None}),
    )
    ranges = first.then(second).ranges
    rotation, shift = slice(0, 2), slice(2, 6)
    assert ranges.usual[rotation] == (-0.2, 0.2)
    assert ranges.usual[shift] == (-0.1, 0.1, -0.3, 0.3)
    assert {label: (row[rotation], row[shift]) for label, row in ranges.of_class.items()} == {
        4: ((-0.2, 0.2), (0, 0, 0, 0)),
        6: ((-0.1, 0.1), (0, 0, -0.3, 0.3)),
        9: ((0, 0), (-0.1, 0.1, -0.3, 0.3)),
    }


# --- classes ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_a_policy_never_touches_the_guarded_classes():
    many, labels = np.repeat(GREY, 10, 0), np.repeat(LABELS, 10)
    guard = {6: None, 9: {"factor": 0.0}}
    got = run([layers.RandomRotation(0.5, policy=guard)], many, labels).x
    same = np.array([np.array_equal(g, image) for g, image in zip(got, many, strict=True)])
    assert same[np.isin(labels, (6, 9))].all()
    assert not same[~np.isin(labels, (6, 9))].any()
    got = run([layers.RandomFlip(policy={4: {"mode": "horizontal"}, 6: None})], many, labels).x
    for label, allowed in ((4, [(), (1,)]), (6, [()])):
        rows = labels == label
        assert all(
            any(np.array_equal(g, np.flip(image, axes)) for axes in allowed)
            for g, image in zip(got[rows], many[rows], strict=True)
        )
    bright = layers.RandomBrightness((0.05, 0.1), (-500, 500), policy={3: {"factor": (-0.1, -0.05)}, 5: None})
    change = (run([bright], many, labels).x - many).mean(axis=(1, 2))
    assert (change[labels == 3] < -49.0).all()
    np.testing.assert_allclose(change[labels == 5], 0.0, atol=1e-9)
    assert (change[~np.isin(labels, (3, 5))] > 49.0).all()


def test_a_policy_needs_labels():
    one_hot, soft = np.eye(10)[LABELS], losses.CategoricalCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match=r"policy needs one integer label a sample.*got targets of shape"):
        run([layers.RandomRotation(0.5, policy={6: None})], GREY, one_hot, soft)
    with pytest.raises(ValueError, match="got rows that a layer before it has mixed"):
        run([layers.MixUp(), layers.RandomRotation(0.5, policy={6: None})], GREY)
    lowering = Lowering([], Memory([], np.dtype("float64")), Data(GREY), 24, training=True)
    nodes = node_of(layers.RandomRotation(0.5, policy={6: None}), shape=(10, 12))
    with pytest.raises(ValueError, match="policy needs the samples' labels, got samples alone"):
        lowering.write(nodes)
    with pytest.raises(ValueError, match=r"policy must name classes in \[0, 10\), got 12"):
        run([layers.RandomRotation(0.5, policy={12: None})], GREY)


# --- pixels -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_pixels_follow_their_formulas():
    mean = COLOUR.mean(axis=(1, 2), keepdims=True)
    bright = run([layers.RandomBrightness((0.2, 0.2))], COLOUR).x
    np.testing.assert_allclose(bright, np.clip(COLOUR + 51.0, 0, 255), atol=1e-9)
    contrast = run([layers.RandomContrast((0.0, 0.0)), layers.RandomContrast((1.0, 0.0))], COLOUR, seed=4)
    drawn = (contrast.x[:, 0, 0, 0] - mean[:, 0, 0, 0]) / (COLOUR[:, 0, 0, 0] - mean[:, 0, 0, 0])
    assert ((drawn >= 0) & (drawn <= 1)).all()
    np.testing.assert_allclose(contrast.x, mean + drawn[:, None, None, None] * (COLOUR - mean), atol=1e-9)
    grey = COLOUR @ np.array([0.299, 0.587, 0.114])
    half = run([layers.RandomColorDegeneration((0.4, 0.4))], COLOUR).x
    np.testing.assert_allclose(half, COLOUR + 0.4 * (grey[..., None] - COLOUR), atol=1e-9)
    np.testing.assert_allclose(run([layers.RandomSaturation((0.5, 0.5))], COLOUR).x, COLOUR)
    none = run([layers.RandomSaturation((0.0, 0.0))], COLOUR).x
    np.testing.assert_allclose(none, np.repeat(grey[..., None], 3, 3), atol=1e-9)


@pytest.mark.usefixtures("each_backend")
def test_hue_and_grey_follow_their_formulas():
    third = run([layers.RandomHue((2 / 3, 2 / 3))], COLOUR).x
    np.testing.assert_allclose(third, COLOUR[..., [2, 0, 1]], atol=1e-9)
    drawn = run([layers.RandomHue(0.2)], np.tile([200.0, 100.0, 100.0], (400, 2, 2, 1)), np.zeros(400, int)).x[:, 0, 0]
    np.testing.assert_array_equal(drawn[:, 0], 200.0)  # at most a tenth of a turn, within which red stays the largest
    assert 80 < np.count_nonzero(drawn[:, 1] > 100.0) < 320
    assert drawn[:, 1:].max() == pytest.approx(160.0, abs=2.0)
    assert drawn[:, 1:].min() == 100.0
    grey = run([layers.RandomGrayscale(0.5)], COLOUR).x
    same = np.array([np.allclose(g, image, atol=1e-9) for g, image in zip(grey, COLOUR, strict=True)])
    np.testing.assert_allclose(grey[~same], np.repeat(COLOUR[~same] @ [[0.299], [0.587], [0.114]], 3, 3), atol=1e-9)
    assert 4 <= same.sum() <= 20
    jittered = run([layers.RandomColorJitter(hue_factor=(2 / 3, 2 / 3), brightness_factor=(0.1, 0.1))], COLOUR)
    np.testing.assert_allclose(jittered.x, np.clip(COLOUR + 25.5, 0, 255)[..., [2, 0, 1]], atol=1e-9)
    guarded = run([layers.RandomGrayscale(1.0, policy={3: None})], COLOUR).x
    np.testing.assert_allclose(guarded[LABELS == 3], COLOUR[LABELS == 3], atol=1e-9)


@pytest.mark.usefixtures("each_backend")
def test_tones_follow_their_formulas():
    x = BYTES.astype(float)
    np.testing.assert_array_equal(run([layers.Solarization()], BYTES).x, 255 - x)
    half = run([layers.Solarization(threshold_factor=(128 / 255, 128 / 255))], BYTES).x
    np.testing.assert_array_equal(half, np.where(x < 128, x, 255 - x))
    lighter = run([layers.Solarization(0.5, (1.0, 1.0), (0, 1000))], x).x - x
    assert (np.ptp(lighter, axis=(1, 2)) < 1e-9).all()
    assert 0.0 <= lighter.min() < 100.0
    assert 400.0 < lighter.max() <= 500.0
    np.testing.assert_array_equal(run([layers.RandomPosterization(3)], BYTES).x, BYTES >> 5 << 5)
    inverted = run([layers.RandomInvert()], np.repeat(BYTES, 20, 0), np.repeat(LABELS, 20)).x
    flipped = np.array([np.array_equal(i, 255 - b) for i, b in zip(inverted, np.repeat(x, 20, 0), strict=True)])
    np.testing.assert_array_equal(inverted[~flipped], np.repeat(x, 20, 0)[~flipped])
    assert 0.4 < flipped.mean() < 0.6
    assert run([layers.RandomInvert()], BYTES, training=False).ops.count("adjust_tones") == 0


def test_jitter_is_one_pass():
    settings = {"brightness_factor": (0.1, 0.1), "contrast_factor": (0.0, 0.0), "gain_factor": (0.25, 0.25)}
    got = run([layers.RandomColorJitter((0, 1000), saturation_factor=(0.0, 0.0), **settings)], COLOUR)
    grey = COLOUR @ np.array([0.299, 0.587, 0.114]) + 100.0
    np.testing.assert_allclose(got.x, 1.25 * np.repeat(grey[..., None], 3, 3), atol=1e-9)
    assert got.ops.count("adjust_pixels") == 1


# --- rectangles, pairs, swaps -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_erased_rectangles():
    x = np.full((400, 20, 30), 5.0)
    got = run([layers.RandomErasing(0.5, (0.1, 0.4), fill_value=2.0)], x, np.zeros(400, np.int64)).x
    erased = got == 2.0
    assert ((got == 5.0) | erased).all()
    share = erased.mean(axis=(1, 2))
    assert 0.4 < (share > 0).mean() < 0.6
    assert share.max() < 0.45
    assert share[share > 0].min() > 0.05
    for box in erased[share > 0]:
        rows, columns = box.any(axis=1), box.any(axis=0)
        np.testing.assert_array_equal(box, rows[:, None] & columns)
    assert run([layers.RandomErasing((0.0, 1.0), 0.3)], x, np.zeros(400, np.int64)).ops.count("paste_boxes") == 1


@pytest.mark.usefixtures("each_backend")
def test_rectangles_of_noise():
    x = np.full((400, 20, 30), -1.0)
    got = run([layers.RandomErasing(1.0, (0.2, 0.4), value_range=(-2.0, 3.0))], x, np.zeros(400, np.int64)).x
    noise = got[got != -1.0]
    assert 0.2 < noise.size / x.size < 0.4
    assert (noise.min(), noise.max()) == (-2.0, 3.0)
    inside = np.sort(noise[(noise > -2.0) & (noise < 3.0)])
    erf = np.vectorize(math.erf)
    uniform = (erf(inside / 3.0 / 2**0.5) - math.erf(-2 / 3 / 2**0.5)) / (math.erf(2**-0.5) - math.erf(-2 / 3 / 2**0.5))
    assert np.abs(uniform - np.linspace(0.0, 1.0, uniform.size)).max() < 0.01  # Kolmogorov and Smirnov's distance


def cross_entropy(logits, targets):
    log_p = (
        logits
        - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
        - logits.max(1, keepdims=True)
    )
    return -(targets * log_p).sum(axis=1)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("layer", [layers.MixUp(0.4), layers.CutMix()], ids=["mix_up", "cut_mix"])
@pytest.mark.parametrize("kind", ["sparse", "smoothed", "one_hot", "binary", "regression"])
def test_losses_are_mixed_as_the_samples_are(layer, kind):
    layer = type(layer).from_config(layer.get_config())
    targets = {
        "sparse": (LABELS, sparse(), 10),
        "smoothed": (LABELS, losses.SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.3), 10),
        "one_hot": (np.eye(10)[LABELS], losses.CategoricalCrossentropy(from_logits=True), 10),
        "binary": (LABELS[:, None] % 2.0, losses.BinaryCrossentropy(from_logits=True), 1),
        "regression": (RNG.standard_normal((24, 4)), losses.MeanSquaredError(), 4),
    }
    y, loss, outputs = targets[kind]
    got = run([layer], GREY / 255.0, y, loss, outputs=outputs)
    buffers = got.program.buffers
    w, partners = buffers[f"{layer.name}.weights"].array, buffers[f"{layer.name}.partners"].array
    assert sorted(partners) == list(range(24))
    assert w.std() > 0.0
    own, other = GREY / 255.0, GREY[partners] / 255.0
    if isinstance(layer, layers.MixUp):
        np.testing.assert_allclose(got.x, w[:, None, None] * own + (1 - w[:, None, None]) * other, rtol=1e-12)
    else:
        assert ((got.x == own) | (got.x == other)).all()
        paired = partners != np.arange(24)
        np.testing.assert_allclose(w[paired], (got.x == own)[paired].mean(axis=(1, 2)), atol=1e-12)
    if kind == "regression":
        mixed = w[:, None] * y + (1 - w[:, None]) * y[partners]
        expected = np.square(got.logits - mixed).mean(axis=1)
    elif kind == "binary":
        each = [np.log1p(np.exp(got.logits)) - t * got.logits for t in (y, y[partners])]
        expected = (w[:, None] * each[0] + (1 - w[:, None]) * each[1])[:, 0]
    else:
        rows = np.eye(10)[LABELS]
        if kind == "smoothed":
            rows = 0.7 * rows + 0.03
        expected = w * cross_entropy(got.logits, rows) + (1 - w) * cross_entropy(got.logits, rows[partners])
        hits = got.program.buffers["hits"].array
        larger = np.where(w >= 0.5, LABELS, LABELS[partners])
        np.testing.assert_array_equal(hits, got.logits.argmax(axis=1) == larger)
    np.testing.assert_allclose(got.losses, expected, rtol=1e-10)


def test_gradients_of_mixed_labels_are_those_of_soft_rows():
    both = [
        run([layers.MixUp(1.0)], GREY / 255.0, y, loss)
        for y, loss in ((LABELS, sparse()), (np.eye(10)[LABELS], losses.CategoricalCrossentropy(from_logits=True)))
    ]
    assert np.abs(both[0].memory.gradients).max() > 0.0
    np.testing.assert_array_equal(*(r.memory.gradients for r in both))


def test_mixing_twice_mixes_targets_twice():
    got = run([layers.MixUp(1.0, seed=1), layers.CutMix(seed=2)], GREY / 255.0)
    buffers, rows = got.program.buffers, np.eye(10)[LABELS]
    for name in sorted(
        {name.split(".")[0] for name in buffers if "mix" in name and name.endswith(".partners")}, reverse=True
    ):
        w, partners = buffers[f"{name}.weights"].array[:, None], buffers[f"{name}.partners"].array
        rows = w * rows + (1 - w) * rows[partners]
    np.testing.assert_allclose(got.losses, cross_entropy(got.logits, rows), rtol=1e-10)


@pytest.mark.usefixtures("each_backend")
def test_swapped_features_come_from_the_same_column():
    x = np.arange(60 * 50.0).reshape(60, 50)
    got = run([layers.SwapNoise(0.3)], x, np.zeros(60, np.int64)).x
    assert (got % 50 == np.arange(50)).all()
    assert 0.22 < (got != x).mean() < 0.34  # a partner may be the row itself
    constant = run([layers.SwapNoise(0.3, fill_value=-1.0)], x, np.zeros(60, np.int64)).x
    assert ((constant == x) | (constant == -1.0)).all()
    assert 0.25 < (constant == -1.0).mean() < 0.35


@pytest.mark.usefixtures("each_backend")
def test_noise_is_in_the_unit_of_each_feature():
    x = RNG.standard_normal((4000, 3)) * [1.0, 100.0, 0.01] + [0.0, 5.0, 5.0]
    labels = np.zeros(4000, np.int64)
    noise = run([layers.FeatureNoise(0.1, x.std(axis=0))], x, labels).x - x
    np.testing.assert_allclose(noise.std(axis=0), 0.1 * x.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.01 * x.std(axis=0).max())
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.06
    clipped = run([layers.FeatureNoise(2.0, value_range=(0.0, 1.0))], x, labels).x
    assert (clipped.min(), clipped.max()) == (0.0, 1.0)
    half = run([layers.FeatureNoise(1.0, [[1.0], [0.0]])], np.zeros((5, 2, 3)), labels[:5]).x
    assert half[:, 0].all()
    assert not half[:, 1].any()


# --- where and when ---------------------------------------------------------------------------------------------

EVERY = {
    "flip": layers.RandomFlip,
    "rotation": lambda: layers.RandomRotation(0.2),
    "translation": lambda: layers.RandomTranslation(0.2, 0.1),
    "zoom": lambda: layers.RandomZoom(0.2),
    "shear": lambda: layers.RandomShear(0.2),
    "affine": lambda: layers.RandomAffine(rotation=0.1, width_zoom=0.2, policy={3: {"rotation": 0.01}}),
    "brightness": lambda: layers.RandomBrightness(0.1),
    "contrast": lambda: layers.RandomContrast(0.5, policy={2: None}),
    "saturation": lambda: layers.RandomSaturation(0.6),
    "degeneration": lambda: layers.RandomColorDegeneration(0.5),
    "jitter": lambda: layers.RandomColorJitter((0, 255), 0.1, 0.2, 0.3),
    "erasing": layers.RandomErasing,
    "mix_up": lambda: layers.MixUp(1.0),
    "cut_mix": layers.CutMix,
    "swap": lambda: layers.SwapNoise(0.2),
    "noise": lambda: layers.FeatureNoise(0.2, [1.0, 20.0, 0.5], (0, 255)),
}


@pytest.mark.parametrize("name", EVERY)
def test_drawn_by_seed_step_and_row_alone(name, dtype):
    x = COLOUR.astype(dtype)

    def result(threads=1, backend="native", **options):
        flyball.use_backend(backend)
        flyball.set_num_threads(threads)
        got = run([EVERY[name]()], x, dtype=dtype, **options)
        assert got.x.dtype == dtype
        return got.x

    first = result()
    np.testing.assert_array_equal(first, result(threads=3))
    assert not np.array_equal(first, result(step=1))
    assert not np.array_equal(first, result(seed=4))
    assert not np.array_equal(first, x)
    tolerance = {"rtol": 0, "atol": 1e-3 if dtype == "float32" else 1e-9}
    np.testing.assert_allclose(first, result(backend="reference"), **tolerance)


@pytest.mark.parametrize("name", EVERY)
def test_absent_from_evaluation(name):
    got = run([EVERY[name]()], COLOUR, training=False)
    np.testing.assert_array_equal(got.x, COLOUR)
    assert got.ops == run([], COLOUR, training=False).ops


@pytest.mark.parametrize("name", EVERY)
def test_layers_survive_json(name):
    layer = EVERY[name]()
    config = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(config)
    assert json.loads(json.dumps(again.get_config())) == config["config"]
    for one in (layer, again):
        one.build((8, 8, 3))
    np.testing.assert_array_equal(run([layer], COLOUR).x, run([again], COLOUR).x)


@pytest.mark.parametrize(
    "layer",
    [
        layers.RandomRotation(0.0),
        layers.RandomTranslation(0, 0),
        layers.RandomZoom(0.0, 0.0),
        layers.RandomShear(),
        layers.RandomAffine(),
        layers.RandomBrightness(0.0),
        layers.RandomContrast(0),
        layers.RandomColorDegeneration(0.0),
        layers.RandomColorJitter(),
        layers.RandomErasing(0.0),
        layers.SwapNoise(0.0),
        layers.FeatureNoise(0.0),
        layers.RandomCrop(8, 8),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_nothing_to_do_costs_nothing(layer):
    assert node_of(layer, shape=(8, 8, 3)) == []


@pytest.mark.usefixtures("each_backend")
def test_crops_are_random_in_training_and_in_the_middle_otherwise():
    layer = layers.RandomCrop(6, 7)
    got = run([layer], GREY).x
    places = set()
    for g, image in zip(got, GREY, strict=True):
        found = [(r, c) for r in range(5) for c in range(6) if np.array_equal(g, image[r : r + 6, c : c + 7])]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 10
    np.testing.assert_array_equal(run([layer], GREY, training=False).x, GREY[:, 2:8, 2:9])
    padded = run([layers.RandomCrop(10, 12, padding=2, fill_value=-1.0)], GREY).x
    frame = np.pad(GREY, ((0, 0), (2, 2), (2, 2)), constant_values=-1.0)
    for g, image in zip(padded, frame, strict=True):
        assert any(np.array_equal(g, image[r : r + 10, c : c + 12]) for r in range(5) for c in range(5))


def test_monte_carlo_prediction_is_of_the_samples_given():
    stack = [layers.RandomRotation(0.3), layers.MixUp(), layers.Dropout(0.5)]
    nodes = node_of(*stack)
    lowering = Lowering(nodes, Memory([], np.dtype("float64")), Data(GREY[:, :9, :9]), 24, training=False, noisy=True)
    lowering.predictions(24)
    assert [i.op for i in lowering.program.instructions][-1:] == ["dropout_forward"]
    assert all(i.op in {"gather", "dropout_forward"} for i in lowering.program.instructions)


@pytest.mark.parametrize("name", ["rotation", "contrast", "mix_up", "swap"])
def test_refused_after_a_layer_that_learns(name):
    layer = layers.MixUp() if name == "mix_up" else layers.SwapNoise(0.1, name=f"late_{name}")
    model = flyball.Sequential([layers.Input((4,)), layers.Dense(3), layer, layers.Dense(2)])
    with pytest.raises(ValueError, match=f"{layer.name}: augmentation must come before the first layer that learns"):
        model.compile("sgd", "mse")
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)


# --- called on arrays -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_a_call_shows_what_training_would_see():
    layer = layers.RandomRotation(0.3, seed=4)
    first, second = layer(BYTES), layer(BYTES)
    assert first.dtype == np.float32
    expected = functional.augment_images(BYTES, rotation=0.3, seed=4)
    np.testing.assert_array_equal(first, expected)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(BYTES, training=False), BYTES)
    assert layers.RandomCrop(4, 5)(COLOUR).shape == (24, 4, 5, 3)
    assert layers.MixUp()(GREY).dtype == np.float64
    with pytest.raises(ValueError, match="policy needs the samples' labels"):
        layers.RandomFlip(policy={6: None})(GREY)
    with pytest.raises(ValueError, match=r"x must be an array of numbers \(samples, \.\.\.\)"):
        layers.RandomFlip()(np.array(["a"]))


@pytest.mark.usefixtures("each_backend")
def test_layers_with_weights_are_called_with_theirs():
    x = RNG.standard_normal((7, 4))
    dense = layers.Dense(3, activation="relu")
    y = dense(x)
    kernel, _ = dense.get_weights()
    np.testing.assert_allclose(y, np.maximum(x @ kernel, 0.0), rtol=1e-12)
    np.testing.assert_array_equal(dense(x), y)
    model = flyball.Sequential([layers.Input((4,)), layers.Dense(3)])
    np.testing.assert_allclose(model.layers[0](x), model.predict(x), rtol=1e-6)
    dropped = layers.Dropout(0.5)
    np.testing.assert_array_equal(dropped(x), x)
    assert 0.2 < (dropped(x, training=True) == 0.0).mean() < 0.8


# --- through fit ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_fit_mixes_and_evaluation_does_not():
    flyball.utils.set_random_seed(1)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((200, 6))
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    model = flyball.Sequential(
        [layers.Input((6,)), layers.SwapNoise(0.1), layers.MixUp(0.3), layers.Dense(3, activation="softmax")]
    )
    model.compile(flyball.optimizers.Adam(0.03), SPARSE, metrics=["accuracy"])
    history = model.fit(x, y, epochs=8, batch_size=32, verbose=0).history
    plain = flyball.Sequential([layers.Input((6,)), layers.Dense(3, activation="softmax")])
    plain.set_weights(model.get_weights())
    plain.compile("adam", SPARSE, metrics=["accuracy"])
    assert model.evaluate(x, y, verbose=0) == plain.evaluate(x, y, verbose=0)
    np.testing.assert_array_equal(model.predict(x), plain.predict(x))
    assert history["loss"][-1] < history["loss"][0]


def image_model(*first, dtype="float64"):
    flyball.utils.set_random_seed(7)
    stack = [layers.Input((10, 12)), *first, layers.Flatten(), layers.Dense(10, activation="softmax")]
    model = flyball.Sequential(stack, dtype=dtype)
    model.compile("adam", SPARSE, metrics=["accuracy"])
    return model


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("x", [GREY, BYTES], ids=["float", "bytes"])
def test_fit_is_training_on_batches_that_were_augmented_before(x):
    model = image_model(layers.Rescaling(1 / 255), layers.RandomFlip("vertical"), layers.RandomRotation(0.1))
    plain = image_model()
    plain.set_weights(model.get_weights())
    model.fit(x, LABELS, epochs=2, batch_size=10, shuffle=False, verbose=0)
    for step in range(6):
        rows = slice(step % 3 * 10, step % 3 * 10 + 10)
        ranges = {"vertical_flip": 0.5, "rotation": 0.1}
        moved = functional.augment_images(x[rows].astype(float) / 255.0, **ranges, seed=model._seed, step=step)
        plain.train_on_batch(moved, LABELS[rows])
    for mine, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_fit_with_everything_has_the_same_bits_for_any_number_of_threads(tmp_path):
    prints = []
    for threads in (1, 3):
        flyball.set_num_threads(threads)
        model = image_model(
            layers.Rescaling(1 / 255),
            layers.RandomAffine(rotation=0.5, height_shift=0.1, policy={6: None, 9: {"rotation": 0.01}}),
            layers.RandomBrightness(0.1, (0, 1)),
            layers.RandomErasing(0.5, value_range=(0, 1)),
            layers.CutMix(),
            dtype="float32",
        )
        history = model.fit(BYTES, LABELS, epochs=3, batch_size=10, verbose=0).history
        prints.append([history["loss"], history["accuracy"], *(w.tobytes() for w in model.get_weights())])
    assert prints[0] == prints[1]
    model.save(tmp_path / "model")
    again = flyball.load_model(tmp_path / "model")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.predict(BYTES), model.predict(BYTES))
    assert again.evaluate(BYTES, LABELS, verbose=0) == model.evaluate(BYTES, LABELS, verbose=0)
    for one in (model, again):
        one.fit(BYTES, LABELS, epochs=4, initial_epoch=3, batch_size=10, verbose=0)
    np.testing.assert_array_equal(again.predict(BYTES), model.predict(BYTES))


def test_train_on_batch_knows_labels_that_were_not_in_the_first_batch():
    model = image_model(layers.RandomRotation((0.5, 0.5), policy={9: None}))
    for labels in (np.zeros(24, int), np.full(24, 9), np.full(24, 8)):
        assert np.isfinite(model.train_on_batch(GREY, labels)[0])


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.RandomRotation(1.5), r"factor must be a number in \[-1, 1\] or two of them.*got 1.5"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "factor must be a number"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "fill_mode must be one of.*got 'mirror'"),
        (lambda: layers.RandomRotation(0.1, interpolation="cubic"), "interpolation must be one of"),
        (lambda: layers.RandomRotation(0.1, seed=-1), "seed must be a non-negative integer, got -1"),
        (lambda: layers.RandomRotation(0.1, data_format="last"), "data_format must be one of channels_last, channels"),
        (
            lambda: layers.RandomSaturation(0.1, data_format="channels_first").build((4, 4, 3)),
            r"input_shape must be \(3, height, width\): red, green and blue, got \(4, 4, 3\)",
        ),
        (lambda: layers.RandomFlip("diagonal"), "mode must be one of"),
        (lambda: layers.RandomZoom(1.0), "height_factor must be above -1"),
        (lambda: layers.RandomBrightness(0.1, (1, 0)), r"value_range must be \(low, high\) with low < high"),
        (lambda: layers.RandomContrast((0.1, 2)), r"factor must be in \[0, 1\], got 2"),
        (lambda: layers.RandomSaturation(1.0), "factor must be below 1"),
        (lambda: layers.RandomColorJitter(hue_factor=2.0), "hue_factor must be a number in"),
        (lambda: layers.RandomColorJitter(hue_factor=0.1).build((4, 4)), r"input_shape must be \(height, width, 3\)"),
        (lambda: layers.RandomHue(1.5), "factor must be a number in"),
        (lambda: layers.RandomGrayscale(-0.1), r"factor must be in \[0, 1\], got -0.1"),
        (lambda: layers.RandomGrayscale().build((4, 4, 1)), r"input_shape must be \(height, width, 3\)"),
        (lambda: layers.Solarization(2.0), "addition_factor must be a number in"),
        (lambda: layers.RandomInvert((0.1, 2)), "factor must be a number in"),
        (lambda: layers.RandomPosterization(9), r"factor must be an integer in \[1, 8\] or two of them"),
        (lambda: layers.RandomPosterization((3, 2)), r"factor must be an integer in \[1, 8\] or two of them"),
        (lambda: layers.RandomPosterization((1, 2, 3)), r"factor must be an integer in \[1, 8\] or two of them"),
        (lambda: layers.RandomErasing(fill_value="noise"), "fill_value must be a finite number"),
        (lambda: layers.RandomErasing(aspect=0.5), r"aspect must be in \[1, inf\)"),
        (lambda: layers.MixUp(0.0), r"alpha must be in \(0, inf\), got 0"),
        (lambda: layers.CutMix(2.0), r"factor must be in \(0, 1\]"),
        (lambda: layers.FeatureNoise(-1.0), r"stddev must be in \[0, inf\)"),
        (lambda: layers.FeatureNoise(1.0, [1.0, 2.0]).build((3,)), "scale must be a number or of a shape that"),
        (lambda: layers.FeatureNoise(1.0, value_range=(1, 1)), r"value_range must be \(low, high\)"),
        (lambda: layers.SwapNoise(1.0), r"rate must be in \[0, 1\)"),
        (lambda: layers.RandomAffine(horizontal_flip=2), r"horizontal_flip must be in \[0, 1\], got 2"),
        (lambda: layers.RandomRotation(0.1, policy={6: {"factor": 3}}), "policy of class 6: factor must be"),
        (lambda: layers.RandomRotation(0.1, policy={-1: None}), "policy's classes must be a non-negative integer"),
        (lambda: layers.RandomRotation(0.1, policy=[6]), "policy must be a dict"),
        (lambda: layers.RandomZoom(0.1, policy={6: {"width_factor": 0.1}}), "width_factor must be None for all"),
        (lambda: layers.RandomFlip(input_shape=(4,)).build((4,)), r"input_shape must be \(height, width\)"),
        (lambda: layers.RandomSaturation(0.2).build((4, 4)), r"input_shape must be \(height, width, 3\)"),
        (lambda: layers.RandomCrop(9, 9, padding=1).build((8, 8)), "padding must be 0 for images smaller"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_unknown_arguments():
    with pytest.raises(TypeError, match="unexpected keyword argument 'fill_moed'; did you mean 'fill_mode'"):
        layers.RandomRotation(0.1, fill_moed="wrap")
    with pytest.raises(TypeError, match="policy of class 6 got an unexpected keyword argument 'facter'"):
        layers.RandomRotation(0.1, policy={6: {"facter": 0.1}})
