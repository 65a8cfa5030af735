"""Types of the arrays that operations take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]
