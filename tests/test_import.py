"""What ``import flyball`` does, and does not."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import flyball


def python(code, **environment):
    """Run ``code`` in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_public_names_exist():
    for name in flyball.__all__:
        assert hasattr(flyball, name), name
    assert flyball.Input is flyball.layers.Input
    assert flyball.Sequential is flyball.models.Sequential


def test_build_info():
    info = flyball.build_info()
    assert info["version"] == flyball.__version__
    assert info["numpy"] == np.__version__
    assert info["python"] == ".".join(map(str, sys.version_info[:3])) or info["python"].startswith("3.")
    assert info["backend"] == flyball.backend.get_backend().name
    assert info["active_level"] in info["levels"]
    assert 16 * 1024 <= info["second_level_bytes"] < 2**40


def test_nothing_heavy_is_imported():
    heavy = ["matplotlib", "pandas", "scipy", "sklearn", "torch", "safetensors", "pyarrow", "flyball.cli"]
    heavy += ["flyball.inspect", "flyball.plotting"]
    of_models = ["flyball.models", "flyball.layers", "flyball.training", "flyball.callbacks"]
    loaded = "[name for name in {!r} if name in sys.modules]"
    code = f"import sys, flyball.functional; print({loaded.format(heavy + of_models)}); flyball.Sequential; "
    result = python(f"{code}print({loaded.format(heavy)})")
    assert (result.stdout.split(), result.returncode) == (["[]", "[]"], 0), result.stderr


def test_import_takes_less_than_a_tenth_of_a_second_beyond_numpy(tmp_path):
    # The processor's time, not the wall's, which on a busy machine says how busy it is. Byte code, as installed.
    code = "import time, numpy; t = time.process_time(); import flyball; print(time.process_time() - t)"
    byte_code = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    best = min(float(python(code, **byte_code).stdout) for _ in range(6))
    assert best < 0.1


def test_a_missing_extension_is_said_loudly():
    result = python("import sys; sys.modules['flyball._core'] = None; import flyball")
    assert result.returncode != 0
    assert "ImportError: flyball's native extension cannot be imported" in result.stderr


def test_a_missing_extension_is_no_reason_to_fall_back():
    code = "import sys; sys.modules['flyball._core'] = None; import flyball"
    assert python(code, FLYBALL_BACKEND="reference").returncode != 0


def test_an_unknown_level_is_warned_about():
    result = python("import flyball", FLYBALL_ISA="v9")
    assert result.returncode == 0
    assert "RuntimeWarning: FLYBALL_ISA must be one of" in result.stderr
    assert "got 'v9'" in result.stderr


def test_the_environment_chooses():
    code = "import flyball; i = flyball.build_info(); print(i['threads'], i['backend'], i['active_level'])"
    level = flyball.build_info()["levels"][0]
    chosen = python(code, FLYBALL_NUM_THREADS="3", FLYBALL_BACKEND="reference", FLYBALL_ISA=level)
    assert chosen.stdout.split() == ["3", "reference", level], chosen.stderr


def test_an_unknown_backend_is_refused():
    result = python("import flyball; flyball.build_info()", FLYBALL_BACKEND="fast")
    assert "backend must be 'native' or 'reference', got 'fast'" in result.stderr
    with pytest.raises(ValueError, match="backend must be 'native' or 'reference', got 'fast'"):
        flyball.use_backend("fast")


def test_seeds_follow_set_random_seed():
    flyball.utils.set_random_seed(1)
    first = [flyball.utils.new_seed() for _ in range(3)]
    numbers = np.random.rand()  # noqa: NPY002  # Keras' set_random_seed seeds it
    flyball.utils.set_random_seed(1)
    assert [flyball.utils.new_seed() for _ in range(3)] == first
    assert np.random.rand() == numbers  # noqa: NPY002
    assert len(set(first)) == 3
    assert all(0 <= seed < 2**63 for seed in first)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, None, True])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match="seed must be"):
        flyball.utils.set_random_seed(seed)


@pytest.mark.parametrize(
    ("x", "classes", "shape"),
    [([0, 2], None, (2, 3)), ([[0], [2]], 4, (2, 4)), ([[0, 1], [2, 0]], 3, (2, 2, 3)), (1, 3, (3,))],
)
def test_to_categorical(x, classes, shape):
    onehot = flyball.utils.to_categorical(x, classes)
    assert onehot.shape == shape
    np.testing.assert_array_equal(onehot.argmax(-1).ravel(), np.ravel(x))
    assert (onehot.sum(-1) == 1).all()


@pytest.mark.parametrize(
    ("x", "classes", "message"),
    [
        ([0, 5], 3, r"x must be in \[0, 3\), got 5"),
        ([-1], None, "x must be non-negative, got -1"),
        ([0.5], None, "x must be integral, got 0.5"),
        ([], None, "x must be an array of class indices"),
        ([np.nan], None, "x must be an array of class indices"),
        ([0], 0, "num_classes must be a positive integer, got 0"),
    ],
)
def test_bad_categories(x, classes, message):
    with pytest.raises(ValueError, match=message):
        flyball.utils.to_categorical(x, classes)
