"""What each regularisation technique does to the test score of a network, on four real data sets over ten seeds.

``python bench/regularisation.py`` trains everything and writes the tables into docs/regularisation.md, between its
markers, and the picture docs/images/regularisation.png; it takes minutes. ``--quick`` is for tests. The protocol stands
in docs/regularisation.md, and in the code of :func:`scores`.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from sklearn import datasets

import flyball
from flyball import callbacks, constraints, layers, losses, optimizers, regularizers, utils

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "regularisation.md"
PICTURE = ROOT / "docs" / "images" / "regularisation.png"
SEEDS = range(10, 20)  # 0 and 1 were used while this was written
UNITS = (128, 128)


@dataclass(frozen=True)
class Problem:
    """A data set, and how it is trained: fixed before anything was run on the test rows.

    ``train`` and ``validation`` are rows; all others are for the test.
    """

    name: str
    load: Callable[..., Any]
    train: int
    validation: int
    epochs: int
    classes: int = 0
    image: tuple[int, int] | None = None

    @property
    def measure(self) -> str:
        """What is reported."""
        return "accuracy, %" if self.classes else "R², %"


PROBLEMS = (
    Problem("digits", datasets.load_digits, 200, 100, 100, 10, (8, 8)),
    Problem("breast cancer", datasets.load_breast_cancer, 150, 75, 100, 2),
    Problem("wine", datasets.load_wine, 45, 25, 150, 3),
    Problem("diabetes", datasets.load_diabetes, 150, 75, 100),
)


@dataclass(frozen=True)
class Settings:
    """What a network has of each technique; nothing by default."""

    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    max_norm: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: bool = False
    weight_noise: float = 0.0
    input_noise: float = 0.0
    label_smoothing: float = 0.0
    patience: int = 0
    shift: float = 0.0
    mix_up: float = 0.0


@dataclass(frozen=True)
class Technique:
    """The settings among which validation chooses; ``only`` names the kind of problem that it is for."""

    name: str
    grid: tuple[dict[str, Any], ...]
    only: str = field(default="")

    def suits(self, problem: Problem) -> bool:
        """Whether it can be used at all."""
        return {"": True, "classes": problem.classes > 0, "images": problem.image is not None}[self.only]


def each(name: str, *values: Any) -> tuple[dict[str, Any], ...]:
    """Return a grid over one setting."""
    return tuple({name: value} for value in values)


TECHNIQUES = (
    Technique("none", ({},)),
    Technique("L2", each("l2", 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
    Technique("L1", each("l1", 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)),
    Technique("elastic net", tuple({"l1": 0.1 * l2, "l2": l2} for l2 in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1))),
    Technique("decoupled decay", each("weight_decay", 0.01, 0.1, 1.0, 10.0)),
    Technique("max-norm", each("max_norm", 0.25, 0.5, 1.0, 2.0, 4.0)),
    Technique("dropout", each("dropout", 0.1, 0.2, 0.35, 0.5, 0.7)),
    Technique("dropout of inputs", each("input_dropout", 0.05, 0.1, 0.2, 0.35, 0.5)),
    Technique("batch-norm", each("batch_norm", True)),
    Technique("early stopping", each("patience", 3, 10, 30)),
    Technique("noise on inputs", each("input_noise", 0.1, 0.2, 0.4, 0.8, 1.5)),
    Technique("noise on weights", each("weight_noise", 0.02, 0.05, 0.1, 0.2, 0.4)),
    Technique("label smoothing", each("label_smoothing", 0.02, 0.05, 0.1, 0.2), "classes"),
    Technique("mix-up", each("mix_up", 0.1, 0.2, 0.4, 1.0), "classes"),
    Technique("shifts of images", each("shift", 0.03, 0.06, 0.09, 0.12), "images"),
    Technique(
        "together",
        tuple({"l2": l2, "dropout": rate, "patience": 30} for l2 in (1e-3, 1e-2) for rate in (0.2, 0.5)),
    ),
)


def network(problem: Problem, features: int, settings: Settings) -> flyball.Sequential:
    """Return a compiled network of two hidden layers with what ``settings`` ask for."""
    model = flyball.Sequential([layers.Input(problem.image or (features,))])
    if settings.shift:
        model.add(layers.RandomTranslation(settings.shift, settings.shift, fill_mode="nearest"))
    if problem.image:
        model.add(layers.Flatten())
    if settings.mix_up:
        model.add(layers.MixUp(settings.mix_up))
    if settings.input_noise:
        model.add(layers.GaussianNoise(settings.input_noise))
    if settings.input_dropout:
        model.add(layers.Dropout(settings.input_dropout))
    options: dict[str, Any] = {
        "kernel_noise": settings.weight_noise,
        "kernel_regularizer": regularizers.L1L2(settings.l1, settings.l2) if settings.l1 or settings.l2 else None,
        "kernel_constraint": constraints.MaxNorm(settings.max_norm) if settings.max_norm else None,
    }
    for units in UNITS:
        model.add(layers.Dense(units, kernel_initializer="he_normal", **options))
        if settings.batch_norm:
            model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        if settings.dropout:
            model.add(layers.Dropout(settings.dropout))
    model.add(layers.Dense(problem.classes or 1, "softmax" if problem.classes else None, **options))
    loss = losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing) if problem.classes else "mse"
    model.compile(optimizers.AdamW(weight_decay=settings.weight_decay), loss)
    return model


def measures(problem: Problem, model: flyball.Sequential, x: NDArray[Any], y: NDArray[Any]) -> tuple[float, float]:
    """Return score (accuracy or R²) and loss (cross-entropy or squared error), without penalties and smoothing."""
    predicted = model.predict(x).astype(np.float64)
    if problem.classes:
        right = np.maximum(predicted[np.arange(len(y)), y], 1e-12)
        return float(np.mean(predicted.argmax(axis=1) == y)), float(-np.mean(np.log(right)))
    error = float(np.mean((predicted[:, 0] - y) ** 2))
    return 1.0 - error / float(np.var(y)), error


def scores(problem: Problem, seed: int, *, quick: bool) -> dict[str, dict[str, Any]]:
    """Return for each technique the test score and loss of the setting that was best in validation.

    Rows are shuffled by ``seed``; features (and the values of a regression) are scaled by the training rows' mean and
    spread, those of images by one for all pixels. A technique's settings are trained one after the other from the same
    seed; the one with the lowest validation loss is looked at on the test rows.
    """
    flyball.set_num_threads(1)
    x, y = problem.load(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    parts = np.split(order, [problem.train, problem.train + problem.validation])
    axis = None if problem.image else 0
    x = (x - x[parts[0]].mean(axis=axis)) / x[parts[0]].std(axis=axis)
    if not problem.classes:
        y = (y - y[parts[0]].mean()) / y[parts[0]].std()
    x = x.astype(np.float32).reshape(len(x), *(problem.image or x.shape[1:]))
    (x_train, y_train), validation, test = ((x[part], y[part]) for part in parts)
    targets, watched = (
        utils.to_categorical(values, problem.classes) if problem.classes else values
        for values in (y_train, validation[1])
    )
    found = {}
    for technique in TECHNIQUES:
        if not technique.suits(problem):
            continue
        candidates = []
        for chosen in technique.grid[: 1 if quick else None]:
            settings = Settings(**chosen)
            utils.set_random_seed(seed)
            model = network(problem, x[0].size, settings)
            watchers = []
            if settings.patience:
                watchers.append(callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True))
            model.fit(
                x_train,
                targets,
                epochs=3 if quick else problem.epochs,
                verbose=0,
                validation_data=(validation[0], watched) if settings.patience else None,
                callbacks=watchers,
            )
            score, loss = measures(problem, model, *test)
            candidates.append((measures(problem, model, *validation)[1], score, loss, chosen))
        _, score, loss, chosen = min(candidates, key=lambda candidate: candidate[0])
        found[technique.name] = {"score": 100.0 * score, "loss": loss, "chosen": chosen}
    return found


def summary(runs: list[dict[str, dict[str, Any]]], technique: str, key: str) -> dict[str, float]:
    """Return mean and standard deviation over the seeds, and the mean difference to none with its 95 % interval."""
    values = np.array([run[technique][key] for run in runs])
    differences = values - np.array([run["none"][key] for run in runs])
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)),
        "difference": float(differences.mean()),
        "half": float(stats.t.ppf(0.975, len(runs) - 1) * differences.std(ddof=1) / len(runs) ** 0.5),
    }


def verdict(score: dict[str, float], loss: dict[str, float]) -> str:
    """Say what lies outside the intervals."""
    words = []
    for name, found, sign in (("score", score, 1.0), ("loss", loss, -1.0)):
        if abs(found["difference"]) > found["half"]:
            words.append(f"{name} {'better' if sign * found['difference'] > 0 else 'worse'}")
    return ", ".join(words) or "no difference"


def most_chosen(runs: list[dict[str, dict[str, Any]]], technique: str) -> str:
    """Return the setting that validation chose most often."""
    chosen = [
        ", ".join("on" if value is True else f"{value:g}" for value in run[technique]["chosen"].values())
        for run in runs
    ]
    return max(sorted(set(chosen)), key=chosen.count)


def table(problem: Problem, runs: list[dict[str, dict[str, Any]]]) -> str:
    """Return the table of a data set."""
    loss_name = "cross-entropy" if problem.classes else "squared error"
    titles = ["technique", "chosen most often", f"test {problem.measure}", "difference"]
    titles += [f"test {loss_name}", "difference", "outside the interval"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for technique in runs[0]:
        score, loss = summary(runs, technique, "score"), summary(runs, technique, "loss")
        cells = [technique, most_chosen(runs, technique)] if technique != "none" else ["none", ""]
        for found, digits in ((score, 1), (loss, 3)):
            cells.append(f"{found['mean']:.{digits}f} ± {found['std']:.{digits}f}")
            shown = f"{found['difference']:+.{digits}f} ± {found['half']:.{digits}f}"
            cells.append(shown if technique != "none" else "")
        lines.append(f"| {' | '.join([*cells, verdict(score, loss) if technique != 'none' else ''])} |")
    return "\n".join(lines)


def picture(results: dict[str, list[dict[str, dict[str, Any]]]], path: Path) -> None:
    """Draw the differences to none, with their intervals, a panel for each data set."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [technique.name for technique in TECHNIQUES if technique.name != "none"][::-1]
    figure, axes = plt.subplots(1, len(PROBLEMS), figsize=(13, 5.4), layout="constrained", sharey=True)
    for ax, problem in zip(axes, PROBLEMS, strict=True):
        runs = results[problem.name]
        for place, name in enumerate(names):
            if name not in runs[0]:
                continue
            found = summary(runs, name, "score")
            sure = abs(found["difference"]) > found["half"]
            colour = "#999999" if not sure else "#0072B2" if found["difference"] > 0 else "#D55E00"
            ax.errorbar(found["difference"], place, xerr=found["half"], fmt="o", color=colour, markersize=6, capsize=3)
        ax.axvline(0.0, color="#555555", linewidth=1)
        none = summary(runs, "none", "score")["mean"]
        ax.set_title(f"{problem.name}\n{problem.measure}: {none:.1f} with none", loc="left", fontsize=11)
        ax.set_xlabel("points more than with none", color="#555555")
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(color="#999999", labelcolor="#555555", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_axisbelow(True)
        ax.grid(color="#E6E6E6", linewidth=0.8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write(page: Path, results: dict[str, list[dict[str, dict[str, Any]]]]) -> None:
    """Put the tables between the page's markers."""
    text = page.read_text(encoding="utf-8")
    for problem in PROBLEMS:
        begin, end = f"<!-- {problem.name} -->", f"<!-- end of {problem.name} -->"
        pattern = re.compile(f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", re.DOTALL)
        if not pattern.search(text):
            msg = f"{page} must have the markers {begin} and {end}"
            raise ValueError(msg)
        new = table(problem, results[problem.name])
        text = pattern.sub(lambda _, new=new: f"\n{new}\n\n", text)
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Train everything, write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many, from 10; at least 2")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--quick", action="store_true", help="one setting a technique, 3 epochs")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--json", type=Path, help="also write what was measured, seed by seed")
    options = parser.parse_args()
    began = time.perf_counter()
    results = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        for problem in PROBLEMS:
            results[problem.name] = list(
                pool.map(partial(scores, problem, quick=options.quick), range(SEEDS.start, SEEDS.start + options.seeds))
            )
            print(f"{problem.name}: {time.perf_counter() - began:.0f} s")
            print(table(problem, results[problem.name]), flush=True)
    write(options.page, results)
    picture(results, options.picture)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
