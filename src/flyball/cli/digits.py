"""``train digits``: what regularisation does, and what native code does, on real handwritten digits."""

from __future__ import annotations

import importlib
import statistics
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import flyball
from flyball.backend import backend_scope, get_backend
from flyball.cli import networks, plotting, report
from flyball.cli.errors import InputError, require
from flyball.cli.files import check_outputs
from flyball.cli.progress import EpochLine
from flyball.cli.split import split_rows

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from flyball.cli.networks import Part, Recipe, Run

TEST = 0.2
VALIDATION = 0.15
SPLIT_SEED = 1797
"""The split is the same for every seed of training, so that differences are those of the training. Its seed, the number
of images, was fixed before its test part was looked at; the recipe was chosen on other splits."""

SEEDS = 5
SPEED_EPOCHS = 20
ROUNDS = 5
REST = 0.1
"""Seconds before each round: idle threads of NumPy's BLAS keep spinning for a while, and would take the processors."""
CLASSES = 10


def load_digits() -> tuple[Part, Part, Part]:
    """Return training, validation and test part of scikit-learn's 1797 digits of 8 x 8 pixels, scaled to [0, 1]."""
    datasets = require("sklearn.datasets", "demo", "train digits")
    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16.0).astype(np.float32)
    y = y.astype(np.int64)
    training, validation, test = split_rows(y, TEST, VALIDATION, SPLIT_SEED)
    return (x[training], y[training]), (x[validation], y[validation]), (x[test], y[test])


def run(options: Namespace) -> int:
    """Train, compare and report; return the exit code."""
    check_outputs({"--json": options.json, "--plot": options.plot}, {"--plot": plotting.SUFFIXES}, [])
    if options.plot:
        plotting.check_matplotlib()
    training, validation, test = load_digits()
    seeds = range(options.seed, options.seed + (options.seeds or SEEDS))
    recipe = networks.Recipe(epochs=options.epochs or networks.Recipe.epochs)
    recipes = (replace(recipe, regularised=False), recipe)
    backend = options.backend or get_backend().name

    report.say(
        f"Handwritten digits: {len(training[0])} to train on, {len(validation[0])} to validate, {len(test[0])} to test."
    )
    report.say(
        f"64-{'-'.join(map(str, recipe.hidden))}-10, batches of {recipe.batch_size}, Adam, "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {_range(seeds)}, backend {backend}, {_threads()}.\n"
    )
    runs: list[Run] = []
    for seed in seeds:
        for each in recipes:
            with EpochLine(f"seed {seed}, {'regularised' if each.regularised else 'plain'}", options.quiet) as line:
                trained = networks.train(each, "classification", CLASSES, seed, (training, validation), [line])
            for name, (x, y) in (("train", training), ("validation", validation), ("test", test)):
                scores = trained.model.evaluate(x, y, verbose=0, return_dict=True)
                trained.scores[f"{name}_accuracy"] = float(scores["accuracy"])
            runs.append(trained)
    plain, regularised = runs[0::2], runs[1::2]
    report.say(_table(plain, regularised))
    report.say(
        f"\nregularised: batch normalisation, dropout {recipe.rate}, L2 {recipe.l2}, and the weights of the epoch with "
        f"the lowest\nvalidation loss once {recipe.patience} epochs have not beaten it; plain: none of these."
    )

    speed = None
    if backend == "native":
        speed = _speed(recipe, seeds[0], training, options.quiet)
        report.say("\n" + _speed_text(speed))
    if options.plot:
        title = f"Handwritten digits, seed {seeds[0]}: plain and regularised"
        plotting.learning_curves([plain[0], regularised[0]], title, options.plot)
        report.say(f"\nLearning curves: {options.plot}")
    if options.json:
        report.write_json(options.json, _figures(options, recipe, seeds, plain, regularised, speed))
        report.say(f"Figures: {options.json}")
    if not options.plot and not options.json:
        report.say("\nAdd --plot digits.png for the learning curves, --json digits.json for the figures.")
    return 0


def _range(seeds: Sequence[int]) -> str:
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def _threads() -> str:
    threads = flyball.get_num_threads()
    return f"{threads} {'thread' if threads == 1 else 'threads'}"


def _gap(run: Run) -> float:
    return run.scores["train_accuracy"] - run.scores["test_accuracy"]


def _table(plain: Sequence[Run], regularised: Sequence[Run]) -> str:
    rows = [("network", "test accuracy", "train accuracy", "gap", "epochs", "seconds")]
    rows += [
        (
            runs[0].name,
            report.spread([run.scores["test_accuracy"] for run in runs]),
            report.spread([run.scores["train_accuracy"] for run in runs]),
            f"{statistics.fmean(map(_gap, runs)):.4f}",
            f"{statistics.fmean(run.epochs for run in runs):.0f}",
            f"{statistics.fmean(run.seconds for run in runs):.2f}",
        )
        for runs in (plain, regularised)
    ]
    return report.table(rows)


def _speed(recipe: Recipe, seed: int, training: Part, quiet: bool) -> dict[str, Any]:
    """Train the regularised network on both backends, with the same seed and steps; return times and disagreement.

    Medians of several rounds, the two in turn: a shared machine is not the same from one second to the next.
    """
    short = replace(recipe, epochs=min(recipe.epochs, SPEED_EPOCHS))
    times: dict[str, list[float]] = {"native": [], "reference": []}
    losses: dict[str, list[float]] = {"native": [], "reference": []}
    with EpochLine("speed", quiet) as line, _blas_threads():
        for number in range(ROUNDS):
            for name, taken in times.items():
                line.write(f"round {number + 1} of {ROUNDS}, {name}")
                time.sleep(REST)
                with backend_scope(name):
                    taken.append(_timed(short, seed, training, losses[name]))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    pairs = list(zip(losses["native"], losses["reference"], strict=True))
    steps = -(-len(training[0]) // short.batch_size) * short.epochs
    return {
        "epochs": short.epochs,
        "steps": steps,
        "rounds": ROUNDS,
        "seed": seed,
        "threads": flyball.get_num_threads(),
        "native_seconds": seconds["native"],
        "reference_seconds": seconds["reference"],
        "native_step_microseconds": seconds["native"] / steps * 1e6,
        "reference_step_microseconds": seconds["reference"] / steps * 1e6,
        "ratio": seconds["reference"] / seconds["native"],
        "loss_disagreement": max(abs(native - reference) / abs(reference) for native, reference in pairs),
    }


def _timed(recipe: Recipe, seed: int, training: Part, losses: list[float]) -> float:
    """Train once without validation; return the seconds of ``fit``, and the loss of each epoch in ``losses``."""
    flyball.utils.set_random_seed(seed)
    model = networks.build(recipe, training[0].shape[1], CLASSES, "classification")
    watch = report.Stopwatch()
    history = model.fit(*training, batch_size=recipe.batch_size, epochs=recipe.epochs, verbose=0).history
    seconds = watch.seconds()
    losses[:] = history["loss"]
    return seconds


def _blas_threads() -> AbstractContextManager[object]:
    """Let NumPy's BLAS use as many threads as flyball does."""
    try:
        pools: Any = importlib.import_module("threadpoolctl")
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[object] = pools.threadpool_limits(flyball.get_num_threads(), user_api="blas")
    return limits


def _speed_text(speed: dict[str, Any]) -> str:
    return (
        f"Speed: {speed['epochs']} epochs ({speed['steps']} steps) of the regularised network, seed {speed['seed']}, "
        f"{_threads()}:\n"
        f"native {speed['native_seconds']:.3f} s ({speed['native_step_microseconds']:.0f} us a step), NumPy reference "
        f"{speed['reference_seconds']:.3f} s: {speed['ratio']:.1f} times as fast.\n"
        f"Medians of {speed['rounds']} rounds; the losses of all epochs agree to {speed['loss_disagreement']:.0e} "
        "relative."
    )


def _figures(
    options: Namespace,
    recipe: Recipe,
    seeds: Sequence[int],
    plain: Sequence[Run],
    regularised: Sequence[Run],
    speed: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that was measured, as JSON values."""
    backend = options.backend or get_backend().name
    networks_: dict[str, Any] = {}
    for runs in (plain, regularised):
        networks_[runs[0].name] = {
            "test_accuracy": statistics.fmean(run.scores["test_accuracy"] for run in runs),
            "train_accuracy": statistics.fmean(run.scores["train_accuracy"] for run in runs),
            "gap": statistics.fmean(map(_gap, runs)),
            "epochs": statistics.fmean(run.epochs for run in runs),
            "seconds": statistics.fmean(run.seconds for run in runs),
            "runs": [
                {
                    "seed": seed,
                    **run.scores,
                    "epochs": run.epochs,
                    "best_epoch": run.best_epoch,
                    "seconds": run.seconds,
                    "history": run.history,
                }
                for seed, run in zip(seeds, runs, strict=True)
            ],
        }
    return {
        "data": {"name": "digits", "source": f"scikit-learn {report.version_of('scikit-learn')}"},
        "recipe": vars(recipe) | {"hidden": list(recipe.hidden)},
        "networks": networks_,
        "speed": speed,
        "environment": report.environment(backend),
    }


def check_options(options: Namespace) -> None:
    """Refuse options that only mean something for a table."""
    for option in ("target", "task", "model", "test_size", "hidden", "ignore"):
        if getattr(options, option):
            message = f"--{option.replace('_', '-')} must be left out for digits, got {getattr(options, option)!r}"
            raise InputError(message)
