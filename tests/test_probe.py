"""The probe of the machine's peak issues every multiply-add that it counts: none is left out by the compiler."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import flyball._core as native

ROOT = Path(__file__).parents[1]
LEVELS = [level for level in native.build_info()["levels"] if level in ("v2", "v3", "v4")]
CHAINS = 12
FLAGS = ["-std=c++20", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-Wno-psabi", "-S"]
PRODUCT = re.compile(r"^\s+v?(?:mulp|fmadd\d+p)[sd]\s", flags=re.MULTILINE)


def assembly(level):
    compiler = shutil.which("c++") or shutil.which("g++") or pytest.skip("needs a C++ compiler")
    source = ROOT / "csrc" / "kernels" / "probe.cpp"
    if not source.exists():
        pytest.skip("needs a checkout")
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    command = [compiler, *FLAGS, f"-march=x86-64-{level}", f"-DFLYBALL_LEVEL={level}", *include, "-o", "-", str(source)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("level", LEVELS)
def test_every_chain_multiplies(level):
    bodies = re.findall(r"^\w*multiply_adds\w*:.*?^\s+ret", assembly(level), flags=re.MULTILINE | re.DOTALL)
    counts = [len(PRODUCT.findall(body)) for body in bodies]
    assert len(counts) == 2  # float and double
    assert all(count > 0 and count % CHAINS == 0 for count in counts), counts  # a compiler may unroll the loop
