"""What the examples with pictures share: their arguments, where pictures go, and how numbers are said."""

import argparse
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend that needs no screen
from PIL import Image  # matplotlib brings it

COLOURS = 256


class Figures:
    """Reads ``[--out FOLDER] [--quick]``, saves pictures into the folder, and prints ``name = value`` lines.

    Attributes
    ----------
    quick : bool
        Whether to use less data and fewer epochs: seconds, for a test.
    """

    def __init__(self, description: str) -> None:
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures (default: here)")
        parser.add_argument("--quick", action="store_true", help="less data and fewer epochs")
        arguments = parser.parse_args()
        self.out, self.quick = arguments.out, arguments.quick
        self.out.mkdir(parents=True, exist_ok=True)

    def save(self, figure: plt.Figure, name: str, title: str = "") -> None:
        """Write ``name.png``, of few colours, so that it is small; ``title`` stands above it."""
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=110)
        plt.close(figure)
        path = self.out / f"{name}.png"
        Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
        print(f"picture: {path}")

    @staticmethod
    def say(**numbers: float) -> None:
        """Print numbers by name."""
        for name, value in numbers.items():
            print(f"{name} = {value:.6g}")


def plain(ax: plt.Axes, title: str = "", xlabel: str = "") -> None:
    """Dress axes as flyball's own pictures are."""
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_xlabel(xlabel, color="#555555")
    ax.tick_params(which="both", color="#999999", labelcolor="#555555", labelsize=9.5)
    ax.tick_params(which="minor", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#999999")
    ax.set_axisbelow(True)
    ax.grid(color="#E6E6E6", linewidth=0.8)


def digits(rows: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scikit-learn's handwritten digits, in [0, 1]: the first ``rows`` of 1297 to train on, 500 to test."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order]
    return x[500:][:rows], y[500:][:rows], x[:500], y[:500]
