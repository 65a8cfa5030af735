"""Arguments, and what becomes of errors."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flyball.cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

_DESCRIPTION = "Train regularised neural networks on a CPU."
_EPILOG = """\
examples:
  python -m flyball train digits --plot digits.png
  python -m flyball train houses.csv --target price --model price.safetensors
  python -m flyball predict price.safetensors new_houses.csv --output prices.csv
"""
_TRAIN = """\
train digits  compares a plain and a regularised network on scikit-learn's handwritten digits, over several seeds,
              and the native backend with the NumPy reference.
train FILE    trains a regularised network on a table: .csv, .tsv (UTF-8, with a header) or .parquet. Numbers are
              standardised, categories one-hot, datetimes cyclic, missing values filled in and marked. A part of the
              rows is kept for early stopping, another for the test. A file that is called digits is ./digits.
"""
_PREDICT = """\
Prints a CSV with one prediction for each row of FILE, in a column named after the target. FILE must have the columns
that the model was trained on; others are ignored. A category that training did not see counts as none of those it saw.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what :func:`main` prints."""
        raise InputError(message.removeprefix("argument ").replace(": must be", " must be", 1))


def _integer(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if not lowest <= value <= highest:
            message = f"must be an integer from {lowest} to {highest}, got {text!r}"
            raise argparse.ArgumentTypeError(message)
        return value

    return parse


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 0.9:
        message = f"must be a share of the rows above 0 and at most 0.9, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return value


def _hidden(text: str) -> tuple[int, ...]:
    parse = _integer(1, 65536)
    try:
        return tuple(parse(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        message = f"must be numbers of units from 1 to 65536 with commas between, such as 256,256, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            message = f"must be {' or '.join(choices)}, got {text!r}"
            raise argparse.ArgumentTypeError(message)
        return text

    return parse


def make_parser() -> Parser:
    """Return the parser of the whole command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = Parser("python -m flyball", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=layout)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    info = commands.add_parser(
        "info", help="show the build: version, instruction sets, threads", description="Show the build."
    )
    info.add_argument("--json", action="store_true", help="as JSON")

    text = "train on the bundled digits, or on a table of yours"
    train = commands.add_parser("train", help=text, description=_TRAIN, formatter_class=layout)
    train.add_argument("data", type=Path, metavar="digits|FILE", help="the word digits, or a table")
    both = train.add_argument_group("options for both")
    both.add_argument(
        "--seed", type=_integer(0, 2**31), default=0, metavar="N", help="(first) seed of everything random (0)"
    )
    both.add_argument("--epochs", type=_integer(1, 10**6), metavar="N", help="most epochs (digits 100, tables 200)")
    both.add_argument("--json", type=Path, metavar="PATH", help="write all figures as JSON")
    both.add_argument("--plot", type=Path, metavar="PATH", help="draw the learning curves: .png, .pdf or .svg")
    _add_run_options(both)
    digits = train.add_argument_group("options for digits")
    digits.add_argument(
        "--seeds", type=_integer(1, 1000), metavar="N", help="how many seeds to train and average over (5)"
    )
    table = train.add_argument_group("options for a table")
    table.add_argument("--target", metavar="COLUMN", help="the column to predict (required)")
    table.add_argument(
        "--task",
        type=_one_of("classification", "regression"),
        metavar="TASK",
        help="classification or regression; else by the target: text, booleans and few whole numbers are classes",
    )
    table.add_argument(
        "--ignore", action="append", metavar="COLUMN", help="do not learn from this column; can be repeated"
    )
    table.add_argument("--model", type=Path, metavar="PATH", help="save the model: .safetensors")
    table.add_argument("--test-size", type=_share, metavar="SHARE", help="share of the rows kept for the test (0.2)")
    table.add_argument("--hidden", type=_hidden, metavar="UNITS", help="units of the hidden layers (256,256)")

    text = "predict with a model that train FILE saved"
    predict = commands.add_parser("predict", help=text, description=_PREDICT)
    predict.add_argument("model", type=Path, metavar="MODEL", help="what train FILE --model saved")
    predict.add_argument("data", type=Path, metavar="FILE", help="a table: .csv, .tsv or .parquet")
    predict.add_argument("--output", type=Path, metavar="PATH", help="write to a .csv, .tsv or .parquet file")
    predict.add_argument("--proba", action="store_true", help="add the probability of each class")
    _add_run_options(predict)
    return parser


def _add_run_options(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--backend", type=_one_of("native", "reference"), metavar="NAME", help="native or reference (NumPy)"
    )
    group.add_argument("--threads", type=_integer(1, 4096), metavar="N", help="threads to use (all that are allowed)")
    group.add_argument("--quiet", action="store_true", help="no progress line")


def _run(arguments: Sequence[str] | None) -> int:
    """Parse, set up and do the command; imports are late, so that ``--help`` is quick."""
    options = make_parser().parse_args(arguments)
    if options.command == "info":
        return _info(options.json)
    import flyball

    if options.threads:
        flyball.set_num_threads(options.threads)
    if options.backend:
        flyball.use_backend(options.backend)
    if options.command == "predict":
        from flyball.cli import prediction

        return prediction.run(options)
    if str(options.data) == "digits":
        from flyball.cli import digits

        digits.check_options(options)
        return digits.run(options)
    from flyball.cli import table

    table.check_options(options)
    return table.run(options)


def _info(as_json: bool) -> int:
    import flyball

    info = flyball.build_info()
    if as_json:
        print(json.dumps(info, indent=2))
        return 0
    for name, value in info.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        print(f"{name.replace('_', ' ') + ':':<16}{shown}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        # A column's name must not fail where it is printed, whatever a terminal's encoding lacks.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except InputError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left; Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError:
        return _fail("FILE must fit into memory, got one that does not")
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    return code


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.splitlines())}", file=sys.stderr)
    return BAD_INPUT
