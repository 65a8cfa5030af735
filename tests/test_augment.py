"""Data augmentation: exact cases, scipy as oracle, distributions of what is drawn, policies, bad input."""

import colorsys
import re

import numpy as np
import pytest

import flyball._core as native
from flyball import backend
from flyball import functional as F
from flyball.program.instructions import Dynamic, Kind, Program
from flyball.program.runners import Steps, runner

pytestmark = pytest.mark.usefixtures("each_backend")

RNG = np.random.default_rng(11)
IMAGES = RNG.standard_normal((5, 9, 9))
WIDE = RNG.standard_normal((4, 6, 11, 3)).astype(np.float32)
IDENTITY = np.tile([1.0, 0, 0, 0, 1, 0], (5, 1))


def turned(x, turns, **options):
    return F.augment_images(x, rotation=(turns, turns), seed=0, **options)


# --- the resampling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
def test_exact_maps(interpolation, fill_mode):
    options = {"interpolation": interpolation, "fill_mode": fill_mode}
    for quarters in range(-3, 5):
        np.testing.assert_array_equal(turned(IMAGES, quarters / 4, **options), np.rot90(IMAGES, quarters, (1, 2)))
    flip = {"seed": 0, **options}
    np.testing.assert_array_equal(F.augment_images(WIDE, horizontal_flip=1.0, **flip), WIDE[:, :, ::-1])
    np.testing.assert_array_equal(F.augment_images(WIDE, vertical_flip=1.0, **flip), WIDE[:, ::-1])
    both = F.augment_images(WIDE, horizontal_flip=1.0, vertical_flip=1.0, **flip)
    np.testing.assert_array_equal(both, WIDE[:, ::-1, ::-1])


def test_whole_shifts():
    x = RNG.standard_normal((2, 8, 4))
    move = {"height_shift": (0.25, 0.25), "width_shift": (-0.25, -0.25), "seed": 1}
    moved = np.roll(x, (2, -1), (1, 2))
    np.testing.assert_array_equal(F.augment_images(x, fill_mode="wrap", **move), moved)
    moved[:, :2], moved[:, :, -1:] = 7.0, 7.0
    np.testing.assert_array_equal(F.augment_images(x, fill_mode="constant", fill_value=7.0, **move), moved)
    edge = np.pad(x, ((0, 0), (2, 0), (0, 1)), "edge")[:, :8, 1:]
    np.testing.assert_array_equal(F.augment_images(x, fill_mode="nearest", **move), edge)
    mirror = np.pad(x, ((0, 0), (2, 0), (0, 1)), "symmetric")[:, :8, 1:]
    np.testing.assert_array_equal(F.augment_images(x, fill_mode="reflect", **move), mirror)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
def test_scipy(interpolation, fill_mode, dtype):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = RNG.standard_normal((12, 13, 17)).astype(dtype)
    matrices = F.affine_matrices(
        12, (13, 17), rotation=0.5, height_shift=0.4, width_shift=0.4, height_zoom=(-0.5, 1.0), height_shear=0.4, seed=3
    )
    y = F.affine_transform(x, matrices, interpolation=interpolation, fill_mode=fill_mode, fill_value=0.5)
    mode = {"constant": "grid-constant", "wrap": "grid-wrap"}.get(fill_mode, fill_mode)
    order = 1 if interpolation == "bilinear" else 0
    for image, got, m in zip(x, y, matrices.reshape(-1, 2, 3), strict=True):
        want = ndimage.affine_transform(
            image.astype(float), m[:, :2], m[:, 2], order=order, mode=mode, cval=0.5, prefilter=False
        )
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 if dtype == "float64" else 2e-6)


def test_uint8_images_are_converted(dtype):
    x = RNG.integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    y = turned(x, 0.1)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, turned(x.astype("f4"), 0.1))
    assert turned(x.astype(dtype), 0.1).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_larger_than_a_threads_scratch(dtype):
    x = RNG.standard_normal((3, 300, 500, 2)).astype(dtype)
    small = np.ascontiguousarray(x[:, :40, :50])
    for threads in (1, 3, 3, 3, 3, 3, 3):  # memory that threads had in common would show now and then
        native.set_num_threads(threads)
        np.testing.assert_array_equal(turned(x, 0.5), x[:, ::-1, ::-1])
        np.testing.assert_array_equal(turned(small, 0.5), small[:, ::-1, ::-1])


def test_half_a_pixel_is_rounded_up(dtype):
    x = np.arange(12.0, dtype=dtype).reshape(1, 12)
    y = np.empty_like(x)
    half = np.array([[1, 0, 0.5, 0, 1, 0]])
    backend.get_backend().affine_transform(y, x, half, 4, 3, 1, 4, 3, True, 0, -1.0)
    np.testing.assert_array_equal(y.reshape(4, 3), [[3, 4, 5], [6, 7, 8], [9, 10, 11], [-1, -1, -1]])


def test_maps_without_an_end():
    """Memory is safe whatever the coordinates are; the face refuses them, operations may be given them."""
    bad = IDENTITY.copy()
    bad[:, 2] = [1e300, -1e300, np.inf, np.nan, 1e18]
    y, x = np.empty((5, 81)), IMAGES.reshape(5, 81)
    for mode in range(4):
        for nearest in (False, True):
            native.affine_transform(y, x, bad, 9, 9, 1, 9, 9, nearest, mode, 0.5)
            native.affine_transform(y, x, bad[:, [3, 4, 5, 0, 1, 2]].copy(), 9, 9, 1, 9, 9, nearest, mode, 0.5)


def test_crop():
    x = RNG.standard_normal((200, 12, 10))
    y = F.augment_images(x, size=(9, 9), seed=5)
    places = set()
    for image, got in zip(x, y, strict=True):
        found = [(i, j) for i in range(4) for j in range(2) if np.array_equal(image[i : i + 9, j : j + 9], got)]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) == 8
    padded = F.augment_images(x, size=(12, 10), padding=2, fill_mode="constant", fill_value=9.0, seed=5)
    assert ((padded == 9.0).any((1, 2))).mean() > 0.8
    wide = np.pad(x, ((0, 0), (2, 2), (2, 2)), constant_values=9.0)
    for image, got in zip(wide, padded, strict=True):
        assert any(np.array_equal(image[i : i + 12, j : j + 10], got) for i in range(5) for j in range(5))


# --- what is drawn ----------------------------------------------------------------------------------------------


def test_draws_are_of_their_sample_alone():
    options = {"rotation": 0.2, "horizontal_flip": 0.5, "height_zoom": 0.3, "seed": 9, "step": 4, "stream": 2}
    many = F.affine_matrices(300, (8, 8), **options)
    np.testing.assert_array_equal(F.affine_matrices(7, (8, 8), **options), many[:7])
    assert len(np.unique(many, axis=0)) == 300
    for other in ({"step": 5}, {"stream": 3}, {"seed": 10}, {"step": 4 + 2**40}, {"seed": 9 + 2**40}):
        assert not (F.affine_matrices(300, (8, 8), **{**options, **other}) == many).all(1).any()


def test_distributions_of_maps():
    stats = pytest.importorskip("scipy.stats")
    n = 4000
    m = F.affine_matrices(n, (11, 21), rotation=(-0.1, 0.2), seed=1)
    turns = np.arctan2(m[:, 1], m[:, 0]) / (2 * np.pi)
    assert stats.kstest(turns, stats.uniform(-0.1, 0.3).cdf).pvalue > 1e-3
    m = F.affine_matrices(n, (11, 21), height_shift=0.3, width_shift=(0.0, 0.5), seed=2)
    assert stats.kstest(-m[:, 2] / 11, stats.uniform(-0.3, 0.6).cdf).pvalue > 1e-3
    assert stats.kstest(-m[:, 5] / 21, stats.uniform(0.0, 0.5).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(m[:, 2], m[:, 5])[0, 1]) < 0.06
    m = F.affine_matrices(n, (11, 21), height_zoom=0.3, seed=3)
    np.testing.assert_array_equal(m[:, 0], m[:, 4])
    assert stats.kstest(m[:, 0] - 1, stats.uniform(-0.3, 0.6).cdf).pvalue > 1e-3
    m = F.affine_matrices(
        n, (11, 21), height_zoom=0.3, width_zoom=(0.0, 0.0), horizontal_flip=0.5, vertical_flip=0.1, seed=4
    )
    assert set(m[:, 4]) == {1.0, -1.0}
    assert abs((m[:, 4] < 0).mean() - 0.5) < 0.03
    assert abs((m[:, 0] < 0).mean() - 0.1) < 0.02


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 2.5, 40.0])
def test_mix_weights_are_beta(alpha):
    stats = pytest.importorskip("scipy.stats")
    x = np.eye(3000, 2)
    weights = F.mix_up(x, x, alpha, seed=6).weights
    assert stats.kstest(weights, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    tiny = F.mix_up(x, x, 1e-5, seed=6).weights
    assert set(tiny) == {0.0, 1.0}


def test_policy_guards_classes():
    """A six that is turned by half is a nine."""
    labels = np.array([6, 9, 1, 3] * 50)
    x = RNG.standard_normal((200, 8, 8))
    guard = {"rotation": (0.0, 0.0), "horizontal_flip": 0.0, "vertical_flip": 0.0}
    options = {"rotation": (0.5, 0.5), "horizontal_flip": 1.0, "seed": 3, "labels": labels}
    y = F.augment_images(x, policy={6: guard, 9: guard, 1: {"rotation": (0.25, 0.25)}}, **options)
    kept = np.isin(labels, [6, 9])
    np.testing.assert_array_equal(y[kept], x[kept])
    np.testing.assert_array_equal(y[labels == 3], x[labels == 3][:, ::-1])
    np.testing.assert_array_equal(y[labels == 1], np.rot90(x[labels == 1], 1, (1, 2))[:, ::-1])
    dark = F.adjust_pixels(
        x, brightness=(0.5, 0.5), value_range=(-9, 9), labels=labels, policy={6: {"brightness": 0}}, seed=1
    )
    np.testing.assert_allclose(dark, np.where((labels == 6)[:, None, None], x, np.minimum(x + 9.0, 9.0)), atol=1e-12)


# --- pixels, rectangles, pairs ----------------------------------------------------------------------------------


def test_adjust_pixels(dtype):
    x = RNG.random((6, 5, 7, 3)).astype(dtype)
    options = {"value_range": (0.0, 1.0), "seed": 2}
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(F.adjust_pixels(x, **options), x, atol=tolerance)
    flat = F.adjust_pixels(x, contrast=(-1.0, -1.0), **options)
    np.testing.assert_allclose(flat, np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape), atol=tolerance)
    grey = F.adjust_pixels(x, saturation=(-1.0, -1.0), **options)
    np.testing.assert_allclose(grey, np.repeat(x @ [[0.299], [0.587], [0.114]], 3, -1), atol=tolerance)
    wild = F.adjust_pixels(x, brightness=1.0, contrast=1.0, saturation=1.0, gain=1.0, **options)
    assert wild.min() >= 0.0
    assert wild.max() <= 1.0
    coloured = F.adjust_pixels(x, gain=0.2, value_range=(0.0, 9.0), seed=2) / x
    assert np.ptp(coloured, (1, 2)).max() < 1e-5
    assert np.ptp(coloured[:, 0, 0], 1).min() > 1e-3
    nans = np.where(np.arange(7)[:, None] == 2, np.nan, x).astype(dtype)
    assert np.isnan(F.adjust_pixels(nans, **options)).any()


def test_hues_turn_as_in_hsv(dtype):
    x = RNG.random((6, 5, 7, 3)).astype(dtype)
    x[0, 0] = [0.5, 0.5, 0.5]  # no hue
    x[0, 1] = [0.7, 0.7, 0.2]  # between two
    x[0, 2] = [1.0, 0.0, 0.0]
    options = {"value_range": (0.0, 1.0), "seed": 2}
    tolerance = 1e-6 if dtype == "float32" else 1e-13
    third = F.adjust_pixels(x, hue=(1 / 3, 1 / 3), **options)
    np.testing.assert_allclose(third, x[..., [2, 0, 1]], atol=tolerance)  # red to green, green to blue
    for turns in (0.1, -0.3, 0.77, 1.0, -2.25):
        hsv = [colorsys.rgb_to_hsv(*pixel) for pixel in x.reshape(-1, 3).astype(float)]
        want = [colorsys.hsv_to_rgb((h + turns) % 1.0, s, v) for h, s, v in hsv]
        y = F.adjust_pixels(x, hue=(turns, turns), **options)
        np.testing.assert_allclose(y.reshape(-1, 3), want, atol=tolerance)
        assert y.min() >= 0.0
        assert y.max() <= 1.0
    spread = F.adjust_pixels(np.tile(x[0, 2], (400, 2, 2, 1)), hue=0.5, **options)
    assert len(np.unique(spread[:, 0, 0], axis=0)) > 390
    x[1, 0, 0, 1] = np.nan
    assert np.isnan(F.adjust_pixels(x, hue=0.2, **options)[1, 0, 0]).all()
    for name in ("hue", "grayscale"):
        with pytest.raises(ValueError, match=f"{name} must be 0 for images of 1 channels, got 0.5"):
            F.adjust_pixels(x[..., 0], **{name: 0.5}, **options)


def test_grey_with_a_probability(dtype):
    x = RNG.random((500, 2, 3, 3)).astype(dtype)
    y = F.adjust_pixels(x, grayscale=0.3, value_range=(0.0, 1.0), seed=5)
    grey = np.ptp(y, axis=3).max(axis=(1, 2)) < 1e-6
    assert 0.2 < grey.mean() < 0.4
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(y[~grey], x[~grey], atol=tolerance)
    np.testing.assert_allclose(y[grey], np.repeat(x[grey] @ [[0.299], [0.587], [0.114]], 3, -1), atol=tolerance)


def test_tones_of_bytes_are_those_of_bits():
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert F.adjust_tones(x, seed=1).tobytes() == x.astype(np.float32).tobytes()
    for bits in range(1, 9):
        np.testing.assert_array_equal(F.adjust_tones(x, bits=bits, seed=1), x >> (8 - bits) << (8 - bits))
    np.testing.assert_array_equal(F.adjust_tones(x, inversion=1.0, seed=1), 255 - x)
    wanted = np.where(x < 128, x, 255 - x)
    np.testing.assert_array_equal(F.adjust_tones(x, threshold=128 / 255, seed=1), wanted)
    lighter = np.minimum(x.astype(int) + 51, 255)
    wanted = np.where(lighter < 128, lighter, 255 - lighter)
    np.testing.assert_array_equal(F.adjust_tones(x, addition=(0.2, 0.2), threshold=128 / 255, seed=1), wanted)
    unit = F.adjust_tones(x / 255.0, bits=3, threshold=0.5, value_range=(0.0, 1.0), seed=1)
    np.testing.assert_allclose(255.0 * unit, np.where(x < 128, x, 255 - x) >> 5 << 5, atol=1e-9)
    many = F.adjust_tones(np.tile(x, (600, 1, 1)), bits=(2, 4), seed=3)
    counts = [len(np.unique(image)) for image in many]
    assert sorted(set(counts)) == [4, 8, 16]
    assert min(counts.count(n) for n in (4, 8, 16)) > 150
    inverted = F.adjust_tones(np.tile(x, (600, 1, 1)), inversion=0.25, seed=3)[:, 0, 0] == 255
    assert 0.18 < inverted.mean() < 0.32
    labels = np.array([4, 5])
    guarded = F.adjust_tones(np.tile(x, (2, 1, 1)), bits=1, labels=labels, policy={5: {"bits": None}}, seed=1)
    np.testing.assert_array_equal(guarded[1], x[0])
    np.testing.assert_array_equal(guarded[0], x[0] & 128)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "bits must be in [1, 8], got 0"),
        ({"bits": (2, 9)}, "bits must be in [1, 8], got (2, 9)"),
        ({"inversion": 2.0}, "inversion must be in [0, 1], got 2.0"),
        ({"threshold": (0.5, 0.1)}, "threshold must be a number or (low, high) with low <= high, got (0.5, 0.1)"),
        ({"value_range": None}, "value_range must be finite, got None"),
        ({"policy": {1: {"bit": 1}}, "labels": np.zeros(2, int)}, "policy must name one of addition, threshold, bits"),
    ],
)
def test_bad_tones(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        F.adjust_tones(np.ones((2, 3, 4)), **options, seed=1)


def test_random_erasing():
    x = np.ones((400, 16, 20, 3))
    y = F.random_erasing(x, factor=0.5, scale=(0.1, 0.3), aspect=2.0, fill_value=0.0, seed=4)
    assert (y == y[..., :1]).all()
    gone = 1 - y[..., 0].mean((1, 2))
    assert abs((gone > 0).mean() - 0.5) < 0.08
    assert gone[gone > 0].min() > 0.07
    assert gone.max() < 0.34
    for image in y[gone > 0, :, :, 0]:
        rows, columns = (image == 0).any(1), (image == 0).any(0)
        assert ((image == 0) == np.outer(rows, columns)).all()
        assert np.flatnonzero(rows).size == np.ptp(np.flatnonzero(rows)) + 1


def test_mix_up_mixes_targets_too(dtype):
    x = RNG.standard_normal((50, 4, 3)).astype(dtype)
    labels = RNG.integers(0, 5, 50)
    mixed = F.mix_up(x, labels, 1.0, classes=5, seed=8)
    assert sorted(mixed.partners) == list(range(50))
    w = mixed.weights[:, None, None]
    np.testing.assert_allclose(mixed.x, w * x + (1 - w) * x[mixed.partners], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mixed.targets.sum(1), 1.0, rtol=1e-6)
    assert mixed.targets.min() >= 0.0
    one_hot = np.eye(5, dtype=dtype)[labels]
    np.testing.assert_array_equal(F.mix_up(x, one_hot, 1.0, seed=8).targets, mixed.targets)


def test_cut_mix_weights_are_the_shares_of_pixels():
    x = np.broadcast_to(np.arange(60.0)[:, None, None, None], (60, 10, 12, 2)).copy()
    mixed = F.cut_mix(x, np.arange(60), classes=60, seed=8)
    for i in range(60):
        own = (mixed.x[i] == i).mean()
        other = (mixed.x[i] == mixed.partners[i]).mean()
        assert own + other >= 1.0
        if mixed.partners[i] != i:
            np.testing.assert_allclose([own, 1 - own], [mixed.weights[i], mixed.targets[i, mixed.partners[i]]])
    np.testing.assert_allclose(mixed.targets.sum(1), 1.0)
    assert np.ptp(mixed.weights) > 0.7


def test_noise_in_each_features_unit():
    x = np.zeros((4000, 3))
    noise = RNG.standard_normal(x.shape)
    scale = np.array([0.0, 1.0, 10.0])
    y = F.add_noise(x, noise, 0.1, scale=scale)
    np.testing.assert_allclose(y.std(0), 0.1 * scale, rtol=0.05)
    assert np.abs(F.add_noise(x, noise, 0.1, scale=scale, value_range=(-0.5, 0.5))).max() == 0.5


def test_swap_features():
    x = np.arange(3000.0).reshape(1000, 3)
    y = F.swap_features(x, rate=0.2, seed=3)
    assert (y % 3 == x % 3).all()  # a feature is replaced by the same one of another row
    assert abs((y != x).mean() - 0.2) < 0.03
    np.testing.assert_array_equal(F.swap_features(x, x > 5, fill_value=-1.0), np.where(x > 5, x, -1.0))


# --- in a Program -----------------------------------------------------------------------------------------------


def augmenting_program(dtype, n=24, rows=10):
    """All operations one after the other, on the windows of a data set, in steps of ``rows``."""
    rng = np.random.default_rng(2)
    size = 7 * 6 * 3
    program = Program(batch_rows=rows)
    x = program.buffer("x", rng.random((n, size)).astype(dtype), Kind.WINDOW)
    mask = program.buffer("mask", rng.random((n, size)) < 0.9, Kind.WINDOW)
    noise = program.buffer("noise", rng.standard_normal((n, size)).astype(dtype), Kind.WINDOW)
    labels = program.buffer("labels", rng.integers(0, 2, n), Kind.WINDOW)
    moves = program.buffer("moves", np.tile([-0.2, 0.2], (2, 8)) * [[1], [0]], Kind.WHOLE)
    tints = program.buffer("tints", np.array([[0.9, 1.1] * 4 + [0.1, 0.2, 0.5]] * 2), Kind.WHOLE)
    y = [program.batch(f"y{k}", (rows, size), dtype) for k in range(6)]
    matrices = program.batch("matrices", (rows, 6), np.float64)
    partners = program.batch("partners", (rows,), np.int64)
    boxes = program.batch("boxes", (rows, 4), np.int64)
    weights = program.batch("weights", (rows,), np.float64)
    result = program.buffer("result", np.zeros((n, size), dtype), Kind.WINDOW)
    extents = {"height": 7, "width": 6}
    out = {"out_height": 7, "out_width": 6}
    key = {"seed": 2**63 + 5, "stream": 3, "step": Dynamic.STEP}
    program.add(
        "affine_matrices",
        "",
        {"matrices": matrices, "labels": labels, "ranges": moves},
        **extents,
        **out,
        padding=1,
        keep_aspect=False,
        **key,
    )
    program.add(
        "affine_transform",
        "",
        {"y": y[0], "x": x, "matrices": matrices},
        **extents,
        channels=3,
        **out,
        nearest=False,
        fill_mode=2,
        fill_value=0.0,
    )
    program.add(
        "adjust_pixels",
        "",
        {"y": y[1], "x": y[0], "labels": None, "ranges": tints},
        channels=3,
        low=0.0,
        high=1.0,
        **key,
    )
    program.add(
        "add_noise", "", {"y": y[2], "x": y[1], "noise": noise, "scale": None}, deviation=0.1, low=0.0, high=1.0
    )
    program.add("partner_rows", "", {"partners": partners}, **key)
    program.add(
        "cut_boxes",
        "",
        {"boxes": boxes, "weights": weights},
        **extents,
        probability=0.7,
        alpha=0.0,
        low=0.1,
        high=0.4,
        aspect=2.0,
        **key,
    )
    program.add(
        "paste_boxes",
        "",
        {"y": y[3], "x": y[2], "boxes": boxes, "partners": partners, "filling": None},
        **extents,
        channels=3,
        fill_value=0.0,
    )
    program.add("mix_weights", "", {"weights": weights}, alpha=0.4, **key)
    program.add("mix_rows", "", {"y": y[4], "x": y[3], "partners": partners, "weights": weights})
    program.add("swap_features", "", {"y": result, "x": y[4], "mask": mask, "partners": None}, fill_value=0.25)
    return program, result.array


def test_a_program_augments(dtype):
    results = []
    for name in ("reference", "native"):
        backend.use_backend(name)
        program, result = augmenting_program(dtype)
        runner(program).run(Steps(np.array([0, 10, 20, 24]), np.zeros(3), first=2**33))
        results.append(result)
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-5 if dtype == "float32" else 1e-13)
    assert np.unique(results[0], axis=0).shape == results[0].shape


# --- bad input --------------------------------------------------------------------------------------------------

X = IMAGES
BAD = [
    (lambda: F.augment_images(X[0], seed=1), ValueError, "x must have shape (N, height, width) or (N, height, width, "),
    (lambda: F.augment_images(X.astype(int), seed=1), TypeError, "x must be float32 or float64, got int64"),
    (lambda: F.augment_images(X[:0], seed=1), ValueError, "x must not be empty, got shape (0, 9, 9)"),
    (lambda: F.augment_images(X, rotation="a", seed=1), TypeError, "rotation must be a number, got 'a'"),
    (lambda: F.augment_images(X, rotation=-0.1, seed=1), ValueError, "rotation must be in [0, inf), got -0.1"),
    (
        lambda: F.augment_images(X, rotation=(0.2, 0.1), seed=1),
        ValueError,
        "rotation must be a number or (low, high) with low <= high, got (0.2, 0.1)",
    ),
    (lambda: F.augment_images(X, height_zoom=(-1, 0), seed=1), ValueError, "height_zoom must be above -1, got (-1, 0)"),
    (lambda: F.augment_images(X, vertical_flip=1.5, seed=1), ValueError, "vertical_flip must be in [0, 1], got 1.5"),
    (
        lambda: F.augment_images(X, fill_mode="mirror", seed=1),
        ValueError,
        "fill_mode must be one of 'constant', 'nearest', 'reflect', 'wrap', got 'mirror'",
    ),
    (
        lambda: F.augment_images(X, interpolation="cubic", seed=1),
        ValueError,
        "interpolation must be one of 'bilinear', 'nearest', got 'cubic'",
    ),
    (lambda: F.augment_images(X, size=(10, 9), seed=1), ValueError, "size must be at most (9, 9), got (10, 9)"),
    (lambda: F.augment_images(X, size=9, seed=1), ValueError, "size must be (height, width), got 9"),
    (lambda: F.affine_matrices(5, 9, seed=1), ValueError, "image_size must be (height, width), got 9"),
    (lambda: F.affine_matrices(0, (9, 9), seed=1), ValueError, "count must be an integer in [1, 2**29), got 0"),
    (
        lambda: F.augment_images(X, policy={1: {"width_zoom": 0.1}}, labels=np.ones(5, int), seed=1),
        ValueError,
        "width_zoom must be given where policy names it, got None",
    ),
    (
        lambda: F.adjust_pixels(X, policy={1: {"saturation": 0.1}}, labels=np.ones(5, int), seed=1),
        ValueError,
        "saturation must be 0 for images of 1 channels, got 0.1",
    ),
    (lambda: F.augment_images(X, policy={1: {}}, seed=1), ValueError, "labels must be given where policy is, got None"),
    (
        lambda: F.augment_images(X, policy={1: {"turn": 1}}, labels=np.ones(5, int), seed=1),
        ValueError,
        "policy must name one of rotation, ",
    ),
    (
        lambda: F.augment_images(X, policy={1: {}}, labels=np.ones(4, int), seed=1),
        ValueError,
        "labels must have shape (5,), got (4,)",
    ),
    (lambda: F.augment_images(X, seed=-1), ValueError, "seed must be an integer in [0, 2**64), got -1"),
    (lambda: F.affine_transform(X, IDENTITY[:4]), ValueError, "matrices must have shape (5, 6), got (4, 6)"),
    (lambda: F.affine_transform(X, IDENTITY.astype("f4")), TypeError, "matrices must be float64, got float32"),
    (lambda: F.affine_transform(X, IDENTITY * np.nan), ValueError, "matrices must be finite and below 2**31"),
    (lambda: F.affine_transform(X, IDENTITY, out=X[:, ::-1]), ValueError, "out must be a C-contiguous float64 array"),
    (
        lambda: F.adjust_pixels(X, saturation=0.1, seed=1),
        ValueError,
        "saturation must be 0 for images of 1 channels, got 0.1",
    ),
    (
        lambda: F.adjust_pixels(X, value_range=(1, 0), seed=1),
        ValueError,
        "value_range must be (low, high) with low < high, got (1, 0)",
    ),
    (lambda: F.random_erasing(X, scale=(0.1, 1.2), seed=1), ValueError, "scale must be (low, high) in [0, 1], got"),
    (lambda: F.random_erasing(X, aspect=0.5, seed=1), ValueError, "aspect must be in [1, inf), got 0.5"),
    (lambda: F.random_erasing(X, factor=2, seed=1), ValueError, "factor must be in [0, 1], got 2"),
    (lambda: F.mix_up(X, X, 0.0, seed=1), ValueError, "alpha must be in (0, inf), got 0.0"),
    (lambda: F.mix_up(X, np.arange(5), seed=1), ValueError, "classes must be given where targets are labels, got None"),
    (lambda: F.mix_up(X, np.arange(5), classes=4, seed=1), ValueError, "targets must be in [0, 4), got 4"),
    (lambda: F.mix_up(X, X.astype("f4"), seed=1), TypeError, "targets must be float64 like x, got float32"),
    (lambda: F.mix_up(X, X[:3], seed=1), ValueError, "targets must have shape (5, ...), got (3, 9, 9)"),
    (lambda: F.mix_up(X, X, seed=1, out=X), ValueError, "out must not overlap x"),
    (lambda: F.cut_mix(X[0], X[0], seed=1), ValueError, "x must have shape (N, height, width) or"),
    (lambda: F.add_noise(X, X[:2]), ValueError, "noise must have shape (5, 9, 9), got (2, 9, 9)"),
    (lambda: F.add_noise(X, X, scale=X), ValueError, "scale must have shape (9, 9), got (5, 9, 9)"),
    (lambda: F.add_noise(X, X, -1.0), ValueError, "deviation must be in [0, inf), got -1.0"),
    (lambda: F.swap_features(X, seed=1), ValueError, "rate must be given if and only if mask is not, got None"),
    (lambda: F.swap_features(X, X > 0), TypeError, "seed must be an integer in [0, 2**64), got None"),
    (lambda: F.swap_features(X, X[:2] > 0, seed=1), ValueError, "mask must have shape (5, 9, 9), got (2, 9, 9)"),
]


@pytest.mark.parametrize(("call", "error", "text"), [pytest.param(*case, id=case[2][:60]) for case in BAD])
def test_message(call, error, text):
    before = X.tobytes()
    with pytest.raises(error, match="^" + re.escape(text)):
        call()
    assert X.tobytes() == before
