"""Check a wheel before it is published: size, contents, tag, OpenMP runtime, and an import from a fresh environment.

python tools/check_wheel.py wheelhouse/flyball-*.whl [--tag manylinux_2_28]
"""

import argparse
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

SIZE_LIMIT = 3_000_000
IMPORT_LIMIT = 0.1
"""Seconds that ``import flyball`` may take beyond ``import numpy``."""

# GCC 6. Newer nodes are not needed: a team uses parallel regions and nothing else of OpenMP.
LIBGOMP_FLOOR = (4, 5)

SOURCES = (".c", ".cpp", ".cxx", ".h", ".pxd", ".pyx", ".a", ".o", ".lib")

SMOKE_TEST = """
import time
import numpy
begin = time.perf_counter()
import flyball
seconds = time.perf_counter() - begin
from flyball import _core
x = numpy.array([-1.0, 0.0, 2.0], dtype=numpy.float32)
y = numpy.empty_like(x)
_core.activation_forward(y, x, "relu", 0.0)
assert y.tolist() == [0.0, 0.0, 2.0], y
info = _core.build_info()
assert info["version"] == flyball.__version__, info
print(seconds)
print(info)
"""


class Failure(Exception):
    """A wheel is not what it should be."""


def check_contents(wheel: Path) -> None:
    """Check the size, and that the wheel holds the package and none of its sources."""
    size = wheel.stat().st_size
    print(f"  size      {size / 1e6:.2f} MB (limit {SIZE_LIMIT / 1e6:.0f} MB)")
    if size >= SIZE_LIMIT:
        raise Failure(f"the wheel must be smaller than {SIZE_LIMIT} bytes, got {size}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for wanted in ("flyball/__init__.py", "flyball/py.typed"):
        if wanted not in names:
            raise Failure(f"{wanted} is missing")
    for pattern in (r"flyball/_core\..*(so|pyd)", r"flyball-.*\.dist-info/licenses/LICENSE"):
        if not any(re.fullmatch(pattern, name) for name in names):
            raise Failure(f"a file like {pattern} is missing")
    strangers = [name for name in names if name.endswith(SOURCES) or name.startswith(("tests/", "bench/"))]
    if strangers:
        raise Failure(f"files that belong to the source distribution: {strangers}")


def check_tag(wheel: Path, tag: str | None) -> None:
    """Check the platform tag."""
    platform = wheel.stem.split("-")[-1]
    print(f"  platform  {platform}")
    if tag is not None and tag not in platform:
        raise Failure(f"the platform must contain {tag}, got {platform}")


def check_libgomp(wheel: Path) -> None:
    """Report the OpenMP runtime that travels in the wheel, by the newest version node it defines.

    In the manylinux images the toolset's ``libgomp.so`` is a linker script that points at the base system's library,
    so the runtime in the wheel is older than the compiler. What counts is that it has all that ``_core`` asks for
    (auditwheel checks that) and is no older than the floor.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "libgomp" in Path(name).name]
        nodes = [archive.read(name) for name in names]
    if not names:
        print("  libgomp   none in the wheel")
        return
    for name, data in zip(names, nodes, strict=True):
        versions = {
            tuple(int(part) for part in text.split(b".")) for text in re.findall(rb"GOMP_(\d+(?:\.\d+)+)\0", data)
        }
        newest = max(versions, default=(0,))
        print(f"  libgomp   {name}, GOMP_{'.'.join(map(str, newest))}")
        if newest < LIBGOMP_FLOOR:
            raise Failure(f"{name} must define GOMP_{LIBGOMP_FLOOR[0]}.{LIBGOMP_FLOOR[1]} or newer, got {newest}")


def check_import(wheel: Path) -> None:
    """Install the wheel into a fresh environment, import it and run one operation."""
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = Path(directory) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", wheel.resolve()], check=True)
        runs = [
            subprocess.run([python, "-c", SMOKE_TEST], check=True, capture_output=True, text=True, cwd=directory)
            for _ in range(5)
        ]
    seconds = min(float(run.stdout.splitlines()[0]) for run in runs)
    print(f"  import    {seconds * 1e3:.0f} ms beyond NumPy's (limit {IMPORT_LIMIT * 1e3:.0f} ms)")
    print(f"  build     {runs[0].stdout.splitlines()[1]}")
    if seconds > IMPORT_LIMIT:
        raise Failure(f"import flyball must take at most {IMPORT_LIMIT} s beyond NumPy, took {seconds:.3f} s")


def main() -> int:
    """Check each wheel; 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--tag", help="what the platform tag must contain, e.g. manylinux_2_28")
    parser.add_argument("--no-import", action="store_true", help="the wheel is for another machine")
    arguments = parser.parse_args()
    failures = 0
    for wheel in arguments.wheels:
        print(wheel.name)
        try:
            check_contents(wheel)
            check_tag(wheel, arguments.tag)
            check_libgomp(wheel)
            if not arguments.no_import:
                check_import(wheel)
        except Failure as failure:
            failures += 1
            print(f"  FAILED    {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
