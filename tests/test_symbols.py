"""Kernels compiled for one instruction set must not leak into code compiled for another.

A weak symbol of a variant could be the copy that the linker keeps for everybody. So the object of a family and a
level exports its two tables and nothing else.
"""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from kernel_sources import KERNELS, ROOT, compile_family
from side_by_side import side_by_side

import flyball._core as native

FAMILIES = sorted(path.stem for path in KERNELS.glob("*.cpp"))
LEVELS = native.build_info()["levels"]
# Less optimisation than a build's: quicker, and what is not inlined shows.
FLAGS = ["-O1", "-fPIC", "-c"]


def built_object(level, family):
    """Return the newest object of a build of this checkout that is as new as its sources, or None.

    Builds lie in ``build/`` of an editable install, or where SKBUILD_BUILD_DIR has told scikit-build-core.
    """
    builds = [*ROOT.glob("build/*"), *map(Path, filter(None, [os.environ.get("SKBUILD_BUILD_DIR")]))]
    objects = [build / f"csrc/CMakeFiles/flyball_{level}.dir/kernels/{family}.cpp.o" for build in builds]
    objects = sorted(filter(Path.exists, objects), key=age)
    sources = [*KERNELS.iterdir(), ROOT / "csrc" / "include" / "flyball" / "types.h"]
    newest_source = max(age(path) for path in sources)
    return objects[-1] if objects and age(objects[-1]) >= newest_source else None


def age(path):
    return path.stat().st_mtime


@pytest.fixture(scope="module")
def objects(request, tmp_path_factory):
    """Compile what the selected tests need, on all cores at once: one after the other took two minutes."""
    directory = tmp_path_factory.mktemp("objects")

    def find(level, family):
        target = directory / f"{level}-{family}.o"
        return built_object(level, family) or compile_family(level, family, target, *FLAGS)

    with side_by_side(request, "objects", ("level", "family"), find) as made:
        yield made


def symbols(path):
    """Return (kind, name) of the symbols that an object defines and others can see."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("needs nm")
    command = [nm, "--defined-only", "--extern-only", "--demangle", str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {tuple(line.split(maxsplit=2)[1:]) for line in output.splitlines()}


def leaks(found, level, family):
    """Return what is defined beyond the two tables."""
    return {(kind, name) for kind, name in found if kind not in "RDV" or name not in tables(level, family)} | {
        (kind, name) for kind, name in found if kind in "VWvwu"
    }


def tables(level, family):
    return {f"flyball::{level}_{family}_float", f"flyball::{level}_{family}_double"}


@pytest.mark.skipif(not KERNELS.exists(), reason="needs a checkout")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_defines_its_two_tables_only(level, family, objects):
    found = symbols(objects[level, family].result())
    assert {name for _, name in found} >= tables(level, family)
    assert not leaks(found, level, family)


def test_a_leak_is_noticed(tmp_path):
    compiler = shutil.which("c++") or pytest.skip("needs a C++ compiler")
    source = tmp_path / "leak.cpp"
    source.write_text(
        "namespace flyball { inline int shared(int x) { return x + 1; } int (*volatile use)(int) = shared; }"
    )
    subprocess.run([compiler, "-c", str(source), "-o", str(tmp_path / "leak.o")], check=True)
    found = leaks(symbols(tmp_path / "leak.o"), "v2", "norm")
    assert {name for _, name in found} == {"flyball::shared(int)", "flyball::use"}


def test_the_extension_shows_its_initialiser_only():
    """Symbols of libstdc++'s templates and of OpenMP are the toolchain's; ours are hidden or unique by namespace."""
    path = Path(native.__file__)
    nm = shutil.which("nm")
    if nm is None or sysconfig.get_platform().startswith("win"):
        pytest.skip("needs nm")
    command = [nm, "--dynamic", "--defined-only", "--demangle", str(path)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    kernels = [line for line in lines if "(anonymous namespace)" in line]
    assert not kernels
    assert any("PyInit__core" in line for line in lines)
