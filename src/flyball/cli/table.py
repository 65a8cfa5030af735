"""``train FILE``: a regularised network on a table of the user's."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import saving
from flyball.backend import get_backend
from flyball.cli import networks, plotting, report, stored, target
from flyball.cli.errors import InputError, nearest
from flyball.cli.files import check_outputs
from flyball.cli.preprocessing import TablePreprocessor
from flyball.cli.reading import read_table
from flyball.cli.split import split_rows

if TYPE_CHECKING:
    from argparse import Namespace

    import pandas as pd
    from numpy.typing import NDArray

    from flyball.cli.networks import Part, Recipe, Run

TEST_SIZE = 0.2
VALIDATION_OF_REST = 0.2
EPOCHS = 200


@dataclass
class Prepared:
    """A table as a network sees it."""

    preprocessor: TablePreprocessor
    target: target.Target
    training: Part
    validation: Part
    test: Part
    notes: list[str]


def check_options(options: Namespace) -> None:
    """Refuse options that only mean something for digits, and a missing target."""
    if options.seeds:
        message = f"--seeds must be left out for a table, got {options.seeds}"
        raise InputError(message)
    if options.target is None:
        message = f"--target must name the column of {options.data.name} to predict, got none"
        raise InputError(message)


def run(options: Namespace) -> int:
    """Read, train, report and save; return the exit code."""
    outputs = {"--model": options.model, "--json": options.json, "--plot": options.plot}
    suffixes = {"--plot": plotting.SUFFIXES, "--model": (".safetensors",)}
    check_outputs(outputs, suffixes, [options.data])
    if options.plot:
        plotting.check_matplotlib()
    table = read_table(options.data)
    prepared = prepare(table, options)
    recipe = recipe_for(len(prepared.training[0]), options)
    _describe(table, prepared, recipe, options)

    parts = (prepared.training, prepared.validation)
    # Without a terminal the result says enough.
    verbose = int(sys.stdout.isatty() and not options.quiet)
    trained = networks.train(
        recipe, prepared.target.task, prepared.target.outputs, options.seed, parts, verbose=verbose
    )
    trained.scores = _scores(prepared, trained)
    report.say(_table(prepared, trained))
    report.say(f"\n{trained.epochs} epochs in {trained.seconds:.2f} s; best validation loss at {trained.best_epoch}.")
    if options.model:
        saving.save_model(trained.model, options.model, metadata=stored.pack(prepared.preprocessor, prepared.target))
        report.say(f"Model: {options.model}")
    if options.plot:
        plotting.learning_curves([trained], f"{options.data.name}: {prepared.target.name}", options.plot)
        report.say(f"Learning curves: {options.plot}")
    if options.json:
        report.write_json(options.json, _figures(options, recipe, prepared, trained))
        report.say(f"Figures: {options.json}")
    if options.model:
        report.say(f"\nTo use it: python -m flyball predict {options.model} FILE")
    else:
        report.say("\nNothing was saved; add --model model.safetensors to keep the network.")
    return 0


def recipe_for(rows: int, options: Namespace) -> Recipe:
    """Choose what depends on the table's size: small tables want small batches, for enough steps an epoch."""
    return networks.Recipe(
        hidden=options.hidden or networks.Recipe.hidden,
        batch_size=32 if rows < 2000 else 128 if rows < 50_000 else 512,
        epochs=options.epochs or EPOCHS,
    )


def prepare(table: pd.DataFrame, options: Namespace) -> Prepared:
    """Split the table, and fit preprocessing and target on its training rows.

    Raises
    ------
    InputError
        If a column does not exist, the target cannot be learnt, or there are too few rows.
    """
    ignored = options.ignore or []
    for option, name in [("--target", options.target), *(("--ignore", name) for name in ignored)]:
        if name not in table.columns:
            hint = nearest(name, table.columns)
            message = f"{option} must be a column of {options.data.name}, got {name!r}{hint}"
            raise InputError(message)
    if options.target in ignored:
        message = f"--ignore must be another column than the target, got {options.target!r}"
        raise InputError(message)
    notes = []
    present = target.present_rows(table[options.target])
    if not present.all():
        notes.append(f"{int((~present).sum())} rows without a value of {options.target!r} are left out")
        table = table[present].reset_index(drop=True)
    if len(table) < target.MIN_ROWS:
        message = f"FILE must have at least {target.MIN_ROWS} rows with a target, got {len(table)}"
        raise InputError(message)

    goal, encoded, rows = _split(table[options.target], options)
    features = table.drop(columns=[options.target, *ignored])
    with warnings.catch_warnings():
        # pandas warns of what is handled here, such as texts that are no dates.
        warnings.simplefilter("ignore")
        preprocessor = TablePreprocessor().fit(features.iloc[rows[0]])
        training, validation, test = ((preprocessor.transform(features.iloc[part]), encoded[part]) for part in rows)
    return Prepared(preprocessor, goal, training, validation, test, notes + preprocessor.notes)


def _split(column: pd.Series[Any], options: Namespace) -> tuple[target.Target, NDArray[Any], tuple[Any, Any, Any]]:
    """Return the target, its values as the network learns them, and the rows of the three parts."""
    test = options.test_size or TEST_SIZE
    validation = VALIDATION_OF_REST * (1 - test)
    if (options.task or target.task_of(column)) == "classification":
        classes, index = target.classes_of(column)
        return target.ClassTarget(options.target, classes), index, split_rows(index, test, validation, options.seed)
    numbers = target.numbers_of(column)
    rows = split_rows(np.zeros(len(numbers), dtype=np.int64), test, validation, options.seed)
    goal = target.NumberTarget.fit(options.target, numbers[rows[0]])
    return goal, goal.encode(numbers)[:, np.newaxis], rows


def _describe(table: pd.DataFrame, prepared: Prepared, recipe: Recipe, options: Namespace) -> None:
    """Say what was read and what will be done."""
    parts = (prepared.training, prepared.validation, prepared.test)
    train_rows, validation_rows, test_rows = (len(x) for x, _ in parts)
    features = prepared.training[0].shape[1]
    goal = prepared.target
    report.say(
        f"{options.data.name}: {len(table)} rows; {train_rows} to train on, {validation_rows} to validate, "
        f"{test_rows} to test."
    )
    what = f"{goal.outputs} classes" if goal.task == "classification" else "a number"
    report.say(f"{goal.task.capitalize()} of {goal.name!r} ({what}) from {features} features.")
    for note in prepared.notes:
        report.say(f"note: {note}")
    sizes = "-".join(map(str, (features, *recipe.hidden, goal.outputs)))
    report.say(
        f"Network {sizes} with batch normalisation, dropout {recipe.rate}, L2 {recipe.l2} and early stopping; "
        f"seed {options.seed}.\n"
    )


def _scores(prepared: Prepared, trained: Run) -> dict[str, float]:
    """Scores on the test rows, in the target's own unit, and those of always saying the majority or the mean."""
    (x, encoded), goal = prepared.test, prepared.target
    outputs = trained.model.predict(x, verbose=0)
    if isinstance(goal, target.ClassTarget):
        majority = np.argmax(np.bincount(prepared.training[1]))
        return {
            "test_accuracy": float(np.mean(np.argmax(outputs, axis=1) == encoded)),
            "baseline_accuracy": float(np.mean(majority == encoded)),
        }
    # In standardised values the mean of the training rows is 0.
    truth, guess = encoded[:, 0].astype(np.float64), outputs[:, 0].astype(np.float64)
    rmse, mean_rmse = (float(np.sqrt(np.mean((truth - value) ** 2))) for value in (guess, np.zeros_like(truth)))
    mae, mean_mae = (float(np.mean(np.abs(truth - value))) for value in (guess, np.zeros_like(truth)))
    around = float(np.sum((truth - truth.mean()) ** 2))
    return {
        "test_rmse": rmse * goal.scale,
        "test_mae": mae * goal.scale,
        "test_r2": 1 - rmse**2 * len(truth) / around if around > 0 else 0.0,
        "baseline_rmse": mean_rmse * goal.scale,
        "baseline_mae": mean_mae * goal.scale,
        "baseline_r2": 1 - mean_rmse**2 * len(truth) / around if around > 0 else 0.0,
    }


def _table(prepared: Prepared, trained: Run) -> str:
    scores = trained.scores
    if isinstance(prepared.target, target.ClassTarget):
        label = prepared.target.decode(np.eye(prepared.target.outputs)[[np.argmax(np.bincount(prepared.training[1]))]])
        return report.table(
            [
                ("on the test rows", "accuracy"),
                ("network", f"{scores['test_accuracy']:.4f}"),
                (f"always {label[0]!r}", f"{scores['baseline_accuracy']:.4f}"),
            ]
        )
    rows = [["on the test rows", "RMSE", "mean absolute error", "R2"]]
    for name, prefix in (("network", "test"), ("always the mean", "baseline")):
        errors = [f"{scores[f'{prefix}_{measure}']:.4g}" for measure in ("rmse", "mae")]
        rows.append([name, *errors, f"{scores[f'{prefix}_r2']:.4f}"])
    return report.table(rows)


def _figures(options: Namespace, recipe: Recipe, prepared: Prepared, trained: Run) -> dict[str, Any]:
    """Everything that was measured, as JSON values."""
    return {
        "data": {
            "name": options.data.name,
            "rows": {
                "train": len(prepared.training[0]),
                "validation": len(prepared.validation[0]),
                "test": len(prepared.test[0]),
            },
            "features": prepared.preprocessor.features(),
            "notes": prepared.notes,
        },
        "target": prepared.target.to_dict(),
        "recipe": vars(recipe) | {"hidden": list(recipe.hidden)},
        "seed": options.seed,
        "scores": trained.scores,
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "seconds": trained.seconds,
        "history": trained.history,
        "environment": report.environment(get_backend().name),
    }
