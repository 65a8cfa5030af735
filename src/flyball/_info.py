"""What was built, found and chosen: for bug reports, and to store with measured numbers."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from flyball import _core, backend


def build_info() -> dict[str, Any]:
    """Return what this flyball was built with and runs on.

    Returns
    -------
    dict
        ``version``; ``compiler``; ``levels`` compiled, ``detected_level`` and ``active_level`` of the instruction set;
        ``second_level_bytes`` of a core's cache, half a MiB where the system does not tell; ``team``, what threads are
        made with; ``threads``, how many may be used; ``backend`` in use; ``python`` and ``numpy`` versions.
    """
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    return {**_core.build_info(), "backend": backend.get_backend().name, **versions}
