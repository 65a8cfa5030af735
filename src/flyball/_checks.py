"""Checks of arguments that the faces share.

Each returns the value converted, or raises an error that names argument, value and expectation.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST = 200
"""Characters of a value that errors show."""


def refuse(name: str, expectation: str, value: object) -> NoReturn:
    """Raise ``ValueError("name must be expectation, got value")``."""
    msg = f"{name} must be {expectation}, got {shown(value)}"
    raise ValueError(msg)


def shown(value: object) -> str:
    """Return ``repr(value)``, of a NumPy scalar as of Python's, cut where it is long."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def listed(values: Iterable[object]) -> str:
    """Return the values one after the other, cut where they are many."""
    text = ", ".join(map(str, values))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def lacks(of: object, method: str) -> str:
    """Return the message of a ``NotImplementedError``: a class of one's own lacks a method."""
    return f"{type(of).__name__} must define {method}, which its base class leaves to it"


def integer(name: str, value: object, minimum: int = 0) -> int:
    """Return ``value`` as an int that is at least ``minimum``; bools and floats are refused."""
    expectation = {0: "a non-negative integer", 1: "a positive integer"}.get(minimum, f"an integer >= {minimum}")
    if isinstance(value, bool):
        refuse(name, expectation, value)
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the TypeError is the check
    except TypeError:
        refuse(name, expectation, value)
    if number < minimum:
        refuse(name, expectation, value)
    return number


def optional_count(name: str, value: object) -> int | None:
    """Return ``value`` as a positive int, or None if it is None."""
    return None if value is None else integer(name, value, 1)


def number(name: str, value: object, interval: str = "(-inf, inf)") -> float:
    """Return ``value`` as a finite float inside ``interval``, written as in mathematics: ``"[0, 1)"``.

    Zero-dimensional arrays are numbers; bools, strings and NaN are not.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    expectation = "a finite number" if math.isinf(low) and math.isinf(high) else f"in {interval}"
    if isinstance(value, (bool, str, bytes)):
        refuse(name, expectation, value)
    try:
        result = float(value)  # type: ignore[arg-type]  # the TypeError is the check
    except (TypeError, ValueError, OverflowError):
        refuse(name, expectation, value)
    above = result >= low if interval[0] == "[" else result > low
    below = result <= high if interval[-1] == "]" else result < high
    if not (above and below and math.isfinite(result)):
        refuse(name, expectation, value)
    return result


def flag(name: str, value: object) -> bool:
    """Return ``value`` if it is a bool (Python's or NumPy's)."""
    if type(value).__name__ not in {"bool", "bool_"}:
        refuse(name, "True or False", value)
    return bool(value)


def text(name: str, value: object) -> str:
    """Return ``value`` if it is a string with something in it."""
    if not isinstance(value, str) or not value:
        refuse(name, "a non-empty string", value)
    return value


def hint(value: object, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'relu'?"`` where one of ``valid`` is close to ``value``, else nothing."""
    from difflib import get_close_matches  # only errors pay for it

    valid = list(valid)
    in_lower_case = {name.lower(): name for name in valid}
    close = get_close_matches(value.lower(), in_lower_case, n=1) if isinstance(value, str) else []
    close = [in_lower_case[name] for name in close]
    close = close or [name for name in valid if "".join(word[:1] for word in name.split("_")) == value]  # "lr"
    close = [name for name in valid if name == f"{value}_forward"] or close  # PyTorch's "batch_norm"
    return f"; did you mean {close[0]!r}?" if close else ""


def no_attribute(module: str, name: str, valid: Iterable[str]) -> AttributeError:
    """Return the error of a module that has no ``name``, with the nearest of ``valid``."""
    near = "" if name.startswith("_") else hint(name, valid)  # tools ask for names with underscores
    return AttributeError(f"module {module!r} has no attribute {name!r}{near}")


def choice(name: str, value: object, valid: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``valid``."""
    valid = list(valid)
    if isinstance(value, str) and value in valid:
        return value
    msg = f"{name} must be one of {', '.join(valid)}, got {shown(value)}{hint(value, valid)}"
    raise ValueError(msg)


def shape(name: str, value: object) -> tuple[int, ...]:
    """Return ``value`` as a tuple of positive ints: the shape of one sample."""
    if not isinstance(value, (tuple, list)) or not value:
        refuse(name, "a tuple of positive integers, the shape of one sample", value)
    try:
        return tuple(integer(name, size, 1) for size in value)
    except ValueError:
        refuse(name, "a tuple of positive integers, the shape of one sample", value)


def seed_or_none(seed: object) -> int | None:
    """Return a seed in [0, 2**64), or None, which stands for the model's."""
    number = None if seed is None else integer("seed", seed)
    if number is not None and number >= 2**64:
        refuse("seed", "in [0, 2**64)", seed)
    return number


def axes(name: str, value: Any) -> int | list[int]:
    """Return an axis, or a list of several different ones; negative ones count from the end."""
    many = list(value) if isinstance(value, (tuple, list)) else [value]
    if not many or any(isinstance(axis, bool) or not hasattr(axis, "__index__") for axis in many):
        refuse(name, "an axis, or several different ones", value)
    numbers = [operator.index(axis) for axis in many]
    if len(set(numbers)) < len(numbers):
        refuse(name, "an axis, or several different ones", value)
    return numbers if isinstance(value, (tuple, list)) else numbers[0]


def no_more_arguments(what: str, unknown: dict[str, Any], valid: Iterable[str] | Callable[..., Any]) -> None:
    """Refuse the keyword arguments ``unknown`` of ``what``, naming the nearest valid one.

    ``valid`` are names, or the function that takes them.
    """
    if unknown:
        if callable(valid):
            code = valid.__code__
            valid = [n for n in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if n != "self"]
        valid = list(valid)
        name = next(iter(unknown))
        near = hint(name, valid) or f"; valid arguments are {', '.join(valid)}"
        msg = f"{what} got an unexpected keyword argument {name!r}{near}"
        raise TypeError(msg)
