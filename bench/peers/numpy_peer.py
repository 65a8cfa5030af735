"""NumPy: the matrix product of its BLAS, and its shuffle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tasks import Job, close, matrix, permuted
from threadpoolctl import threadpool_info, threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable


def start(threads: int) -> str:
    threadpool_limits(threads)
    kernels = {info.get("architecture") for info in threadpool_info() if info["user_api"] == "blas"}
    return f"numpy {np.__version__}, {threads} threads of BLAS, its kernels for {kernels}"


def gemm(rows: int, columns: int, inner: int) -> Job:
    a, b = matrix(rows, inner), matrix(inner, columns, 1)
    c = np.empty((rows, columns), np.float32)
    return Job(lambda: np.matmul(a, b, out=c), 1, lambda: close(c, a.astype(np.float64) @ b))


def permutation(size: int) -> Job:
    generator = np.random.Generator(np.random.Philox(7))
    results: list[np.ndarray[Any, Any]] = [np.empty(0)]

    def run() -> None:
        results[0] = generator.permutation(size)

    return Job(run, 1, lambda: permuted(results[0]))


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {}
OPERATIONS: dict[str, Callable[..., Job]] = {"gemm": gemm, "permutation": permutation}
