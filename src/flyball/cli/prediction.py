"""``predict MODEL FILE``: what a saved network says of a table."""

from __future__ import annotations

import io
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import saving
from flyball.cli import reading, report, stored
from flyball.cli.errors import InputError, require
from flyball.cli.files import check_outputs, replacing
from flyball.cli.target import ClassTarget

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    import pandas as pd

    from flyball import Sequential
    from flyball.cli.preprocessing import TablePreprocessor
    from flyball.cli.target import Target

OUTPUTS = (".csv", ".tsv", *reading.PARQUET)

DIGITS = "%.9g"
"""Enough for every float32, which is what networks compute in."""


def run(options: Namespace) -> int:
    """Load, predict, and write or print; return the exit code."""
    check_outputs({"--output": options.output}, {"--output": OUTPUTS}, [options.data, options.model])
    model, preprocessor, target = load(options.model)
    table = reading.read_table(options.data)
    with warnings.catch_warnings():
        # pandas warns of what is handled here, such as texts that are no dates.
        warnings.simplefilter("ignore")
        features = preprocessor.transform(table)
    result = predictions(model.predict(features, verbose=0), target, options.proba)
    if options.output:
        _write(result, options.output)
        report.remark(f"{len(result)} predictions: {options.output}")
    else:
        _print(result)
    return 0


def load(path: Path) -> tuple[Sequential, TablePreprocessor, Target]:
    """Load what ``train FILE --model`` saved.

    Raises
    ------
    InputError
        If there is no such file, or it is not one.
    """
    if not path.is_file():
        message = f"MODEL must be an existing file, got {str(path)!r}"
        raise InputError(message)
    try:
        model = saving.load_model(path)
        preprocessor, target = stored.unpack(saving.load_metadata(path))
        units = model.output_shape[-1]
        if model.input_shape[-1] != len(preprocessor.features()) or units != target.outputs:
            message = f"its network of shape {model.input_shape} to {model.output_shape} does not fit its columns"
            raise ValueError(message)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        message = f"MODEL must be a model that python -m flyball train FILE saved, got {str(path)!r}: {reason}"
        raise InputError(message) from None
    return model, preprocessor, target


def predictions(outputs: Any, target: Target, proba: bool) -> pd.DataFrame:
    """Return a column named after the target and, with ``proba``, one of probabilities per class.

    Raises
    ------
    InputError
        If probabilities are asked of a regression.
    """
    pandas = require("pandas", "tables", "predict")
    if proba and not isinstance(target, ClassTarget):
        message = f"--proba must be left out: the model predicts the number {target.name!r}, which has no classes"
        raise InputError(message)
    frame = pandas.DataFrame({target.name: target.decode(outputs)})
    if isinstance(target, ClassTarget):
        frame[target.name] = frame[target.name].infer_objects()
        if proba:
            for unit, label in enumerate(target.classes):
                frame[f"probability of {label}"] = np.asarray(outputs[:, unit], dtype=np.float64)
    return frame


def _print(result: pd.DataFrame) -> None:
    """Write CSV in UTF-8 to stdout, whatever the terminal's or pipe's own encoding is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    result.to_csv(sys.stdout, index=False, lineterminator="\n", float_format=DIGITS)


def _write(result: pd.DataFrame, path: Path) -> None:
    with replacing(path) as beside:
        if path.suffix.lower() in reading.PARQUET:
            require("pyarrow", "tables", "writing a Parquet file")
            result.to_parquet(beside, engine="pyarrow", index=False)
        else:
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            result.to_csv(
                beside, sep=separator, index=False, lineterminator="\n", float_format=DIGITS, encoding="utf-8"
            )
