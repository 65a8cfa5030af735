"""Roofline table of the matrix product: share of the multiply-add peak per shape, beside NumPy's BLAS and torch's.

    python bench/gemm.py [--threads 1 2] [--dtypes float32 float64] [--levels v3] [--seconds 0.005] [--rounds 20]
                         [--zeros 0.75]
    python bench/gemm.py --scaling [--dtypes float32] [--levels v3]

Every product is verified before it is timed. In each round every contestant has a turn, and in the middle and at the
end of each the peak is measured in this process, on registers alone, for flyball at its level and for the others at the
highest the machine has; the higher counts. Clock rates drift, they are higher after a pause than under load, and a
millisecond or two after the last load from memory as well (AVX2 on a Xeon, 2.9 GHz and then 3.0 to 3.2), so a peak is
measured for half a millisecond. Reported are the rate of the fastest run of all rounds, and the median of the shares of
each turn's peak that the turn's fastest run reached. Turns are short and rounds are many, because a neighbour on the
core, who comes and goes within tenths of a second, slows down products but not the peak. Contestants share a process:
with several threads there is a pause before each, long enough for another library's to stop spinning. Without torch its
column is missing. By default v4 and v3 take part where the machine has them.

With ``--scaling`` flyball alone runs, on one thread and on two in turn; reported is the median of the ratios. (Two
turns of the table above are minutes apart.)

With ``--zeros`` that share of A's elements is zero, as behind ReLU and dropout. Rates still count all multiply-adds: a
product that passes over zeros may be above the peak.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Rows, columns and inner dimension of C = op(A) @ op(B), and which of A and B is transposed.
SHAPES = [
    ("forward", 128, 256, 256, False, False),
    ("forward", 128, 512, 784, False, False),
    ("weight gradient", 784, 512, 128, True, False),
    ("input gradient", 128, 512, 512, False, True),
    ("square", 32, 32, 32, False, False),
    ("square", 1024, 1024, 1024, False, False),
    ("wide forward", 256, 1024, 1024, False, False),
    ("narrow forward", 128, 10, 256, False, False),
    ("narrow weight gradient", 256, 10, 128, True, False),
    ("narrow input gradient", 128, 256, 10, False, True),
    ("odd forward", 96, 300, 100, False, False),
    ("odd forward", 33, 77, 300, False, False),
    ("odd weight gradient", 300, 77, 96, True, False),
    ("odd input gradient", 33, 300, 77, False, True),
    ("inference", 1024, 256, 64, False, False),
    ("inference", 1024, 10, 256, False, False),
    ("one row", 1, 256, 256, False, False),
    ("one column", 1024, 1, 256, False, False),
    ("few columns", 128, 2, 128, False, False),
]
# Seconds. OpenBLAS spins for some hundredths: with 10 ms flyball lost whole time slices to it.
PAUSE = 0.1
# Half a millisecond.
PEAK_TRIALS = 6


def flyball_at(level: str) -> Callable[..., Callable[[], Any]]:
    """Return what makes flyball's product at a level."""
    from flyball import _core

    def make(out: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Callable[[], Any]:
        _core.set_level(level)
        return lambda: _core.matmul(out, a, b, None, transpose_a, transpose_b, "linear", 0.0)

    return make


def contestants(levels: list[str], threads: int) -> dict[str, Callable[..., Callable[[], Any]]]:
    """Return what makes a product of (out, a, b, transpose_a, transpose_b), by the contestant's name."""
    from flyball import _core

    _core.set_num_threads(threads)

    def numpy(out: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Callable[[], Any]:
        left, right = a.T if transpose_a else a, b.T if transpose_b else b
        return lambda: np.matmul(left, right, out=out)

    made = {**{f"flyball {level}": flyball_at(level) for level in levels}, "NumPy": numpy}
    try:
        import torch
    except ImportError:
        return made
    torch.set_num_threads(threads)

    def torch_(out: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Callable[[], Any]:
        result, left, right = (torch.from_numpy(array) for array in (out, a, b))
        left, right = left.T if transpose_a else left, right.T if transpose_b else right
        return lambda: torch.mm(left, right, out=result)

    return {**made, "torch": torch_}


def runnable_levels() -> list[str]:
    """Return the compiled levels that this machine can run, highest first."""
    from flyball import _core

    info = _core.build_info()
    levels = list(info["levels"])
    return levels[levels.index(info["detected_level"]) :: -1]


def measured_peak(dtype: str, threads: int, level: str) -> float:
    """GFLOP/s of multiply-adds at a level."""
    from flyball import _core

    _core.set_level(level)
    return _core.measure_multiply_adds(dtype, threads, PEAK_TRIALS) / 1e9


def operands(shape: tuple[Any, ...], dtype: str, zeros: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return A and B of one of the shapes, and their product in float64."""
    _, m, n, k, transpose_a, transpose_b = shape
    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    a[rng.random(a.shape) < zeros] = 0
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    op_a, op_b = (x.T if flip else x for x, flip in ((a, transpose_a), (b, transpose_b)))
    return a, b, op_a.astype(np.float64) @ op_b.astype(np.float64)


def verify(name: str, out: NDArray[Any], want: NDArray[Any]) -> None:
    """Refuse a wrong product."""
    relative = 1e-4 if out.dtype == np.float32 else 1e-11
    if not np.allclose(out, want, rtol=relative, atol=relative * float(np.abs(want).max())):
        msg = f"{name}: wrong product of shape {out.shape}"
        raise AssertionError(msg)


def fastest(product: Callable[[], Any], seconds: float) -> float:
    """Seconds of the fastest run; short products are timed several at once."""
    begin = time.perf_counter()
    product()
    count = max(1, int(1e-4 / max(time.perf_counter() - begin, 1e-7)))
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(count):
            product()
        best = min(best, (time.perf_counter() - begin) / count)
    return best


def run_and_peak(
    product: Callable[[], Any], seconds: float, dtype: str, threads: int, level: str
) -> tuple[float, float]:
    """Seconds of the fastest run of a turn, and the peak at its clock rate: the higher of two."""
    best, peak = float("inf"), 0.0
    for _ in range(2):
        best = min(best, fastest(product, seconds / 2))
        peak = max(peak, measured_peak(dtype, threads, level))
    return best, peak


def table(dtype: str, threads: int, options: argparse.Namespace) -> None:
    """Print the table of one dtype and number of threads."""
    runs = contestants(options.levels, threads)
    highest = runnable_levels()[0]
    levels = {f"flyball {level}": level for level in options.levels}  # of the others' peak: the highest
    print(f"\n{dtype}, {threads} thread(s): GFLOP/s and share of the peak\n")
    print(f"| product | rows, columns, inner | peak | {' | '.join(runs)} |")
    print("|---" * (3 + len(runs)) + "|")
    for shape in SHAPES:
        label, m, n, k, *transposed = shape
        a, b, want = operands(shape, dtype, options.zeros)
        work = 2e-9 * m * n * k
        best = dict.fromkeys(runs, 0.0)
        shares: dict[str, list[float]] = {name: [] for name in runs}
        peaks = []
        for _ in range(options.rounds):
            for name, make in runs.items():
                out = np.full((m, n), np.nan, dtype)
                product = make(out, a, b, *transposed)
                product()
                verify(name, out, want)
                if threads > 1:
                    time.sleep(PAUSE)
                level = levels.get(name, highest)
                run, peak = run_and_peak(product, options.seconds, dtype, threads, level)
                rate = work / run
                best[name] = max(best[name], rate)
                shares[name].append(rate / peak)
                if level == highest:
                    peaks.append(peak)
        cells = [f"{best[name]:.0f} ({100 * statistics.median(shares[name]):.0f} %)" for name in runs]
        print(f"| {label} | {m}, {n}, {k} | {statistics.median(peaks):.0f} | {' | '.join(cells)} |", flush=True)


def scaling(dtype: str, options: argparse.Namespace) -> None:
    """Print how much faster two threads are than one."""
    from flyball import _core

    print(f"\n{dtype}: two threads beside one, in turn\n")
    print(f"| product | rows, columns, inner | {' | '.join(options.levels)} |")
    print("|---" * (2 + len(options.levels)) + "|")
    for shape in SHAPES:
        label, m, n, k, *transposed = shape
        a, b, want = operands(shape, dtype, options.zeros)
        ratios: dict[str, list[float]] = {level: [] for level in options.levels}
        for _ in range(options.rounds):
            for level in options.levels:
                out = np.full((m, n), np.nan, dtype)
                product = flyball_at(level)(out, a, b, *transposed)
                times = []
                for threads in (1, 2):
                    _core.set_num_threads(threads)
                    product()
                    verify(level, out, want)
                    times.append(fastest(product, options.seconds))
                ratios[level].append(times[0] / times[1])
        cells = [f"{statistics.median(ratios[level]):.2f} x" for level in options.levels]
        print(f"| {label} | {m}, {n}, {k} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=["float32", "float64"],
        default=["float32", "float64"],
    )
    parser.add_argument("--levels", nargs="+", choices=runnable_levels(), default=runnable_levels()[:2])
    parser.add_argument("--seconds", type=float, default=0.005, help="of a contestant's turn")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--zeros", type=float, default=0.0, help="share of the elements of A that are zero")
    parser.add_argument("--scaling", action="store_true", help="two threads beside one instead")
    options = parser.parse_args()
    if options.scaling:
        for dtype in options.dtypes:
            scaling(dtype, options)
        return
    if len(options.threads) > 1:  # BLAS reads its number of threads when it is loaded: a process for each
        for threads in options.threads:
            # The last --threads counts.
            subprocess.run([sys.executable, *sys.argv, "--threads", str(threads)], check=True)
        return
    threads = options.threads[0]
    if os.environ.get("OPENBLAS_NUM_THREADS") != str(threads):
        variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(variables, str(threads))}
        subprocess.run([sys.executable, *sys.argv], check=True, env=environment)
        return
    for dtype in options.dtypes:
        table(dtype, threads, options)


if __name__ == "__main__":
    main()
