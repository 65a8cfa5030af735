"""Split rows into training, validation and test parts, class by class where there are classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]


def split_rows(groups: NDArray[np.int64], test: float, validation: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Split the rows ``0 .. len(groups) - 1`` at random into training, validation and test rows, each sorted.

    Parameters
    ----------
    groups
        (n,) class of each row; every class keeps its share in each part, and at least one row in each part if it
        has three. Zeros everywhere split without regard to classes.
    test, validation
        Share of all rows, in (0, 1), for these two parts.
    seed
        Of the shuffling.
    """
    rng = np.random.default_rng(seed)
    parts: tuple[list[Rows], list[Rows], list[Rows]] = ([], [], [])
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group).astype(np.int64))
        n_test = min(max(1, round(len(rows) * test)), max(0, len(rows) - 2))
        n_validation = min(max(1, round(len(rows) * validation)), max(0, len(rows) - n_test - 1))
        parts[2].append(rows[:n_test])
        parts[1].append(rows[n_test : n_test + n_validation])
        parts[0].append(rows[n_test + n_validation :])
    training, held, tested = (np.sort(np.concatenate(part)) for part in parts)
    return training, held, tested
