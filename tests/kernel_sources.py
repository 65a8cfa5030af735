"""The kernels' sources, and what compiles one family of them for one instruction set."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "csrc" / "kernels"


def compile_family(level, family, target, *flags):
    """Compile a family into ``target``, for the instruction set that csrc/cmake/levels.cmake says."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    source = KERNELS / f"{family}.cpp"
    if compiler is None or not source.exists():
        pytest.skip("needs a C++ compiler and a checkout")
    march = [f"-march=x86-64-{level}"] if level in ("v2", "v3", "v4") else []
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    command = [compiler, "-std=c++20", "-Wno-psabi", *flags, *march, *include, f"-DFLYBALL_LEVEL={level}", str(source)]
    subprocess.run([*command, "-o", str(target)], check=True, capture_output=True, text=True)
    return target
