"""Encoders: one for each column that became features; fitted on training rows, stored as plain JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball.cli import columns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

LIMIT = 1e6
"""Standardised values are kept within this, so that float32 arithmetic on them stays finite."""

MAX_CATEGORIES = 100
"""A column has at most so many one-hot features: its most frequent categories."""

_DAY = 86400.0
_YEAR = 365.2425 * _DAY


def standardisation(values: Values) -> tuple[float, float]:
    """Return mean and standard deviation, finite for every finite input; the deviation is 1 for a constant."""
    # Halves of distances from the first value: no overflow, and no digits lost to a large offset.
    first = float(values[0])
    halves = values / 2 - first / 2
    largest = float(np.max(np.abs(halves))) or 1.0
    unit = halves / largest
    mean = float(np.mean(unit))
    deviation = float(np.sqrt(np.mean((unit - mean) ** 2)))
    return first + 2 * mean * largest, 2 * deviation * largest or 1.0


def standardise(values: Values, mean: float, scale: float) -> Values:
    """``(values - mean) / scale``, within :data:`LIMIT`."""
    with np.errstate(over="ignore"):
        return np.clip((values / 2 - mean / 2) / scale * 2, -LIMIT, LIMIT)


def finite(values: Values) -> Values:
    """Infinite values count as missing."""
    return np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True)
class NumberEncoder:
    """A number or a boolean: missing values filled, standardised; an indicator if training rows missed some."""

    name: str
    kind: str
    fill: float
    mean: float
    scale: float
    indicator: bool

    @classmethod
    def fit(cls, column: pd.Series[Any], kind: str) -> NumberEncoder:
        """Fit on training rows, of which one at least has a value; booleans are filled with the more frequent one."""
        values = finite(columns.parse(column, kind))
        missing = np.isnan(values)
        # The lower median is a value that occurs, and cannot overflow.
        fill = float(np.quantile(values[~missing], 0.5, method="lower"))
        mean, scale = standardisation(np.where(missing, fill, values))
        return cls(str(column.name), kind, fill, mean, scale, bool(missing.any()))

    def features(self) -> list[str]:
        """Names of the features."""
        return [self.name, f"{self.name} is missing"] if self.indicator else [self.name]

    def transform(self, column: pd.Series[Any]) -> Values:
        """Return (n, features)."""
        values = finite(columns.parse(column, self.kind))
        missing = np.isnan(values)
        standard = standardise(np.where(missing, self.fill, values), self.mean, self.scale)
        return np.column_stack([standard, missing.astype(np.float64)] if self.indicator else [standard])


@dataclass(frozen=True)
class DatetimeEncoder:
    """A moment as a standardised number, with the sine and cosine of its place in the day, the week and the year."""

    name: str
    fill: float
    mean: float
    scale: float
    indicator: bool
    periods: tuple[str, ...]

    PERIODS: ClassVar[dict[str, float]] = {"day": _DAY, "week": 7 * _DAY, "year": _YEAR}

    kind: ClassVar[str] = "datetime"

    @classmethod
    def fit(cls, column: pd.Series[Any]) -> DatetimeEncoder:
        """Fit on training rows; a period counts if the rows differ in it and span it at least once."""
        values = columns.parse(column, cls.kind)
        missing = np.isnan(values)
        present = values[~missing]
        mean, scale = standardisation(present)
        span = float(np.ptp(present))
        periods = tuple(
            period
            for period, length in cls.PERIODS.items()
            if span >= length and len(np.unique(np.mod(present, length))) > 1
        )
        fill = float(np.quantile(present, 0.5, method="lower"))
        return cls(str(column.name), fill, mean, scale, bool(missing.any()), periods)

    def features(self) -> list[str]:
        """Names of the features."""
        names = [self.name]
        for period in self.periods:
            names += [f"{self.name}, sine of the {period}", f"{self.name}, cosine of the {period}"]
        return [*names, f"{self.name} is missing"] if self.indicator else names

    def transform(self, column: pd.Series[Any]) -> Values:
        """Return (n, features)."""
        values = columns.parse(column, self.kind)
        missing = np.isnan(values)
        values = np.where(missing, self.fill, values)
        out = [standardise(values, self.mean, self.scale)]
        for period in self.periods:
            angle = 2 * math.pi * np.mod(values, self.PERIODS[period]) / self.PERIODS[period]
            out += [np.sin(angle), np.cos(angle)]
        if self.indicator:
            out.append(missing.astype(np.float64))
        return np.column_stack(out)


@dataclass(frozen=True)
class CategoryEncoder:
    """One-hot over the categories of the training rows; a missing value is a category if training rows missed some.

    A category that training did not see is zero in every feature.
    """

    name: str
    categories: tuple[str, ...]
    indicator: bool

    kind: ClassVar[str] = "category"

    @classmethod
    def fit(cls, column: pd.Series[Any]) -> CategoryEncoder:
        """Fit on training rows: the :data:`MAX_CATEGORIES` most frequent categories, in alphabetical order."""
        values = columns.texts(column)
        present = values[columns.has_value(values)]
        names, counts = np.unique(present.astype(str), return_counts=True)
        frequent = names[np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]]
        return cls(str(column.name), tuple(sorted(map(str, frequent))), len(present) < len(values))

    def features(self) -> list[str]:
        """Names of the features."""
        names = [f"{self.name} = {category}" for category in self.categories]
        return [*names, f"{self.name} is missing"] if self.indicator else names

    def transform(self, column: pd.Series[Any]) -> Values:
        """Return (n, features)."""
        place: dict[str | None, int] = {category: i for i, category in enumerate(self.categories)}
        if self.indicator:
            place[None] = len(self.categories)
        out = np.zeros((len(column), len(self.features())))
        for row, value in enumerate(columns.texts(column)):
            feature = place.get(value)
            if feature is not None:
                out[row, feature] = 1.0
        return out


Encoder = NumberEncoder | DatetimeEncoder | CategoryEncoder


def fit_encoder(column: pd.Series[Any], kind: str) -> Encoder:
    """Fit the encoder of a column of ``kind``."""
    if kind == "datetime":
        return DatetimeEncoder.fit(column)
    if kind == "category":
        return CategoryEncoder.fit(column)
    return NumberEncoder.fit(column, kind)


def encoder_to_dict(encoder: Encoder) -> dict[str, Any]:
    """Return the encoder as JSON values."""
    return {**asdict(encoder), "kind": encoder.kind}


def encoder_from_dict(entry: object) -> Encoder:
    """Return the encoder of :func:`encoder_to_dict`.

    Raises
    ------
    ValueError
        If an entry is absent, superfluous, of the wrong type or meaningless.
    """
    if not isinstance(entry, dict):
        raise ValueError(_wrong("a column", "an object", entry))
    kind = entry.get("kind")
    numbers = {"fill": float, "mean": float, "scale": float}
    fields: dict[str, type] = {"name": str, "kind": str, "indicator": bool}
    if kind in ("number", "boolean"):
        fields |= numbers
    elif kind == "datetime":
        fields |= numbers | {"periods": list}
    elif kind == "category":
        fields |= {"categories": list}
    else:
        raise ValueError(_wrong("kind", f"one of {', '.join(columns.KINDS)}", kind))
    if set(entry) != set(fields):
        raise ValueError(_wrong(f"a column of kind {kind}", f"the entries {sorted(fields)}", sorted(map(str, entry))))
    values = {key: check(entry[key], expected, key) for key, expected in fields.items()}
    if values.get("scale", 1.0) <= 0.0:
        raise ValueError(_wrong("scale", "positive", values["scale"]))
    if kind in ("number", "boolean"):
        return NumberEncoder(**values)
    del values["kind"]
    if kind == "datetime":
        values["periods"] = tuple(values["periods"])
        if list(values["periods"]) != [period for period in DatetimeEncoder.PERIODS if period in values["periods"]]:
            raise ValueError(_wrong("periods", f"some of {', '.join(DatetimeEncoder.PERIODS)}", entry["periods"]))
        return DatetimeEncoder(**values)
    values["categories"] = tuple(check(category, str, "a category") for category in values["categories"])
    if len(set(values["categories"])) != len(values["categories"]):
        raise ValueError(_wrong("categories", "distinct", entry["categories"]))
    return CategoryEncoder(**values)


def check(value: object, expected: type, name: str) -> Any:
    """Return ``value`` if its type is ``expected`` (an int is a float, a bool is no number, a float is finite)."""
    if expected is float and type(value) is int:
        value = float(value)
    if type(value) is not expected or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(_wrong(name, f"a {'finite ' if expected is float else ''}{expected.__name__}", value))
    return value


def _wrong(name: str, expectation: str, got: object) -> str:
    return f"{name} must be {expectation}, got {got!r}"
