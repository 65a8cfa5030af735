"""Kernels compiled for one instruction set must not leak into code compiled for another.

A weak symbol of a variant could be the copy that the linker keeps for everybody. So each variant's object exports its
two tables and nothing else.
"""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import flyball._core as native

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "csrc" / "kernels" / "variant.cpp"
LEVELS = native.build_info()["levels"]
# Less optimisation than a build's: quicker, and what is not inlined shows.
FLAGS = ["-std=c++20", "-O1", "-fPIC", "-Wno-psabi"]


def built_object(level):
    """Return the newest object of a build of this checkout that is as new as its sources, or None."""
    objects = sorted(ROOT.glob(f"build/*/csrc/CMakeFiles/flyball_{level}.dir/kernels/variant.cpp.o"), key=age)
    sources = [*SOURCE.parent.iterdir(), ROOT / "csrc" / "include" / "flyball" / "types.h"]
    newest_source = max(age(path) for path in sources)
    return objects[-1] if objects and age(objects[-1]) >= newest_source else None


def age(path):
    return path.stat().st_mtime


def compiled_object(level, directory):
    """Compile a variant, for the instruction set that csrc/cmake/levels.cmake says."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        pytest.skip("needs a C++ compiler, or the objects of an editable build")
    target = directory / f"{level}.o"
    march = [f"-march=x86-64-{level}"] if level in ("v2", "v3", "v4") else []
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    command = [compiler, *FLAGS, *march, *include, f"-DFLYBALL_LEVEL={level}", "-c", str(SOURCE), "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def symbols(path):
    """Return (kind, name) of the symbols that an object defines and others can see."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("needs nm")
    command = [nm, "--defined-only", "--extern-only", "--demangle", str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {tuple(line.split(maxsplit=2)[1:]) for line in output.splitlines()}


def leaks(found, level):
    """Return what is defined beyond the two tables."""
    return {(kind, name) for kind, name in found if kind not in "RDV" or not is_table(name, level)} | {
        (kind, name) for kind, name in found if kind in "VWvwu"
    }


def is_table(name, level):
    return name in (f"flyball::{level}_float", f"flyball::{level}_double")


@pytest.mark.skipif(not SOURCE.exists(), reason="needs a checkout")
@pytest.mark.parametrize("level", LEVELS)
def test_a_variant_defines_its_two_tables_only(level, tmp_path):
    path = built_object(level) or compiled_object(level, tmp_path)
    found = symbols(path)
    assert {name for _, name in found if is_table(name, level)} == {
        f"flyball::{level}_float",
        f"flyball::{level}_double",
    }
    assert not leaks(found, level)


def test_a_leak_is_noticed(tmp_path):
    compiler = shutil.which("c++") or pytest.skip("needs a C++ compiler")
    source = tmp_path / "leak.cpp"
    source.write_text(
        "namespace flyball { inline int shared(int x) { return x + 1; } int (*volatile use)(int) = shared; }"
    )
    subprocess.run([compiler, "-c", str(source), "-o", str(tmp_path / "leak.o")], check=True)
    assert {name for _, name in leaks(symbols(tmp_path / "leak.o"), "v2")} == {"flyball::shared(int)", "flyball::use"}


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
