"""SciPy: scipy.ndimage, image by image and on one thread, as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy
from scipy import ndimage
from tasks import Job, close, maps, pictures, resampled

if TYPE_CHECKING:
    from collections.abc import Callable


def start(threads: int) -> str:
    return f"scipy {scipy.__version__}"


def augment(number: int, height: int, width: int, channels: int) -> Job:
    x, matrices = pictures(number, height, width, channels), maps(number, height, width)
    y = np.empty_like(x)

    def run() -> None:
        for image, out, matrix in zip(x, y, matrices, strict=True):
            for channel in range(channels):
                ndimage.affine_transform(
                    image[..., channel],
                    matrix[:, :2],
                    matrix[:, 2],
                    output=out[..., channel],
                    order=1,
                    mode="grid-constant",
                    prefilter=False,
                )

    return Job(run, 1, lambda: close(y[:20], resampled(x[:20], matrices[:20])))


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {}
OPERATIONS: dict[str, Callable[..., Job]] = {"augment": augment}
