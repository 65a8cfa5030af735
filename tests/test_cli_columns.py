"""What columns hold, how they become features, and how that is stored."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from hypothesis import given
from hypothesis import strategies as st

from flyball.cli import columns, encoders, stored, target
from flyball.cli.errors import InputError
from flyball.cli.preprocessing import TablePreprocessor
from flyball.cli.split import split_rows


def series(values: list[Any], **options: Any) -> Any:
    return pd.Series(values, name="c", **options)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", ""], "number"),
        ([" 5 ", "+6", "1e3"], "number"),
        (["inf", "-Infinity", "1e400"], "number"),
        (["123456789012345678901234567890", "1"], "number"),
        (["true", "FALSE", "NA"], "boolean"),
        (["2020-01-01", "2021-05-05 11:00", "2021-05-05T11:00:00.5Z"], "datetime"),
        (["2020-13-45", "2020-01-01"], "category"),
        (["1", "x"], "category"),
        (["1_000", "0x10"], "category"),
        (["1,5", "2"], "category"),
        (["nan", "?", "", "NULL"], None),
    ],
)
def test_kind_of_texts(values: list[str], kind: str | None) -> None:
    assert columns.kind_of(series(values, dtype=object)) == kind


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (series([1, 2]), "number"),
        (series([1, None], dtype="Int64"), "number"),
        (series([True, None], dtype="boolean"), "boolean"),
        (series([1.5, np.nan]), "number"),
        (series([np.nan, np.nan]), None),
        (series(pd.to_timedelta([1, 2], unit="s")), "number"),
        (series(pd.to_datetime(["2020-01-01", None])), "datetime"),
        (series(pd.to_datetime(["2020-01-01"]).tz_localize("Europe/Berlin")), "datetime"),
        (series(pd.Categorical([1, 2])), "category"),
        (series(["1", "2"], dtype="string"), "number"),
        (series([2**70, 1], dtype=object), "number"),
    ],
)
def test_kind_of_types(column: Any, kind: str | None) -> None:
    assert columns.kind_of(column) == kind


def test_parse_gives_numbers_seconds_and_missing() -> None:
    np.testing.assert_array_equal(columns.parse(series(["1", "", "2"]), "number"), [1, np.nan, 2])
    np.testing.assert_array_equal(columns.parse(series(["True", "false", "?"]), "boolean"), [1, 0, np.nan])
    days = columns.parse(series(["1970-01-02", "1970-01-01T01:00:00+01:00", ""]), "datetime")
    np.testing.assert_array_equal(days, [86400, 0, np.nan])
    stamps = series(pd.to_datetime(["1970-01-02 00:00:00.25", None]))
    np.testing.assert_array_equal(columns.parse(stamps, "datetime"), [86400.25, np.nan])
    np.testing.assert_array_equal(columns.parse(series(pd.to_timedelta([1, 2], unit="s")), "number"), [1, 2])


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [("number", "x", "numbers"), ("boolean", "maybe", "true or false"), ("datetime", "soon", "ISO 8601 dates")],
)
def test_parse_refuses_what_is_of_another_kind(kind: str, value: str, expected: str) -> None:
    with pytest.raises(InputError, match=f"column 'c' must hold {expected}, got '{value}' in row 2"):
        columns.parse(series(["", value]), kind)


def test_standardisation_survives_any_size() -> None:
    for values in ([0.0, 0.0], [5.0, 5.0], [1e308, -1e308], [1e-300, 3e-300], [1e15, 1e15 + 1], [7.0]):
        array = np.array(values)
        mean, scale = encoders.standardisation(array)
        standard = encoders.standardise(array, mean, scale)
        assert np.all(np.isfinite(standard))
        assert scale > 0
        if len(set(values)) > 1:
            np.testing.assert_allclose(np.abs(standard), 1.0, rtol=0.01)
        else:
            np.testing.assert_array_equal(standard, 0.0)
    assert encoders.standardise(np.array([1e300]), 0.0, 1e-3) == encoders.LIMIT


def mixed() -> Any:
    rows = 40
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "länge \n(m)": [str(v) for v in rng.normal(size=rows - 1)] + [""],
            "flag": ["true", "false", "", "true"] * 10,
            "when": pd.date_range("2020-01-01 00:00", periods=rows, freq="11h").astype(str),
            "colour": ["red", "green", "", "blue"] * 10,
            "row": [str(i) for i in range(rows)],
            "name": [f"customer {i}" for i in range(rows)],
            "same": ["x"] * rows,
            "none": ["", "NA"] * 20,
            "odd": [str(i % 7) for i in range(rows - 2)] + ["inf", "-inf"],
        }
    )


def test_preprocessor_uses_what_informs_and_names_the_rest() -> None:
    fitted = TablePreprocessor().fit(mixed())
    assert fitted.features() == [
        "länge \n(m)",
        "länge \n(m) is missing",
        "flag",
        "flag is missing",
        "when",
        "when, sine of the day",
        "when, cosine of the day",
        "when, sine of the week",
        "when, cosine of the week",
        "colour = blue",
        "colour = green",
        "colour = red",
        "colour is missing",
        "odd",
        "odd is missing",
    ]
    assert fitted.notes == [
        "column 'row' is not used: it numbers the rows",
        "column 'name' is not used: it has 40 different texts in 40 rows, like an identifier",
        "column 'same' is not used: every value is 'x'",
        "column 'none' is not used: every value is missing",
        "column 'odd': 2 infinite values count as missing",
    ]
    features = fitted.transform(mixed())
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert np.all(np.isfinite(features))
    np.testing.assert_allclose(features[:, 0].mean(), 0.0, atol=1e-6)
    np.testing.assert_allclose(features[:, 0].std(), 1.0, atol=1e-6)
    np.testing.assert_array_equal(features[:, 9:13].sum(axis=1), 1.0)


def test_preprocessor_at_prediction() -> None:
    fitted = TablePreprocessor().fit(mixed())
    table = mixed().iloc[:3].assign(colour=["violet", "", "red"], other=1)[["other", *reversed(mixed().columns)]]
    features = dict(zip(fitted.features(), fitted.transform(table).T, strict=True))
    assert features["colour = blue"].sum() == features["colour = green"].sum() == 0
    np.testing.assert_array_equal(features["colour = red"], [0, 0, 1])
    np.testing.assert_array_equal(features["colour is missing"], [0, 1, 0])
    with pytest.raises(InputError, match="got none of the name 'colour', 'odd'; did you mean 'color'"):
        fitted.transform(mixed().rename(columns={"colour": "color"}).drop(columns="odd"))
    with pytest.raises(InputError, match="column 'odd' must hold numbers, got 'many' in row 1"):
        fitted.transform(mixed().assign(odd="many"))


def test_preprocessor_refuses_a_table_without_information() -> None:
    with pytest.raises(InputError, match="got none that can be used; column 'c' is not used: every value is 'x'"):
        TablePreprocessor().fit(pd.DataFrame({"c": ["x", "x"]}))


def test_numbers_among_texts_are_reported() -> None:
    table = pd.DataFrame({"c": ["1", "2", "3", "many"] * 5})
    assert TablePreprocessor().fit(table).notes == [
        "column 'c': 75% are numbers, the others text; all taken as categories"
    ]


def test_categories_are_bounded() -> None:
    table = pd.DataFrame({"c": [f"k{i % 150}" for i in range(450)]})
    fitted = TablePreprocessor().fit(table)
    assert len(fitted.features()) == encoders.MAX_CATEGORIES
    assert fitted.notes == ["column 'c': the 100 most frequent of 150 categories are used"]


def test_preprocessor_survives_json() -> None:
    fitted = TablePreprocessor().fit(mixed())
    again = TablePreprocessor.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.encoders == fitted.encoders
    np.testing.assert_array_equal(again.transform(mixed()), fitted.transform(mixed()))


def number(**changes: Any) -> dict[str, Any]:
    entry = {"name": "a", "kind": "number", "fill": 0.0, "mean": 0, "scale": 1.0, "indicator": False}
    return {key: value for key, value in (entry | changes).items() if value is not ...}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], "a column must be an object, got"),
        (number(kind="tensor"), "kind must be one of number, boolean, datetime, category, got 'tensor'"),
        (number(kind=...), "kind must be one of .*, got None"),
        (number(kind=["number"]), "kind must be one of"),
        (number(extra=1), "must be the entries"),
        (number(mean=...), "must be the entries"),
        (number(mean="0"), "mean must be a finite float, got '0'"),
        (number(mean=True), "mean must be a finite float, got True"),
        (number(fill=float("nan")), "fill must be a finite float, got nan"),
        (number(scale=0.0), "scale must be positive, got 0.0"),
        (number(indicator=1), "indicator must be a bool, got 1"),
        (number(name=None), "name must be a str, got None"),
        (number(kind="datetime", periods=["hour"]), "periods must be some of day, week, year, got"),
        (number(kind="datetime", periods="day"), "periods must be a list"),
        ({"name": "a", "kind": "category", "categories": ["x", "x"], "indicator": False}, "must be distinct"),
        ({"name": "a", "kind": "category", "categories": [1], "indicator": False}, "a category must be a str, got 1"),
    ],
)
def test_damaged_encoders_are_refused(entry: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TablePreprocessor.from_dict({"columns": [entry]})


def test_damaged_preprocessing_is_refused() -> None:
    for entry in (
        None,
        {},
        {"columns": {}},
        {"columns": []},
        {"columns": [number(), number()]},
        {"columns": [], "x": 1},
    ):
        with pytest.raises(ValueError, match=r"preprocessing must be|columns must"):
            TablePreprocessor.from_dict(entry)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"task": "classification", "name": "y"},
        {"task": "classification", "name": "y", "classes": ["a"]},
        {"task": "classification", "name": "y", "classes": ["a", "a"]},
        {"task": "classification", "name": "y", "classes": ["a", None]},
        {"task": "classification", "name": 1, "classes": ["a", "b"]},
        {"task": "regression", "name": "y", "mean": 0.0, "scale": -1.0},
        {"task": "regression", "name": "y", "mean": None, "scale": 1.0},
        {"task": ["regression"], "name": "y", "mean": 0.0, "scale": 1.0},
    ],
)
def test_damaged_targets_are_refused(entry: object) -> None:
    with pytest.raises(ValueError, match="must"):
        target.target_from_dict(entry)


def test_metadata_round_trip() -> None:
    fitted = TablePreprocessor().fit(mixed())
    for goal in (target.ClassTarget("y", (0, 1, "a", True, 0.5)), target.NumberTarget("größe", 1.0, 2.0)):
        preprocessor, again = stored.unpack(stored.pack(fitted, goal))
        assert preprocessor.encoders == fitted.encoders
        assert again == goal
    for metadata in ({}, {stored.KEY: "{"}, {stored.KEY: "[]"}, {stored.KEY: '{"version": 2}'}):
        with pytest.raises(ValueError, match=r"."):
            stored.unpack(metadata)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 20, "classification"),
        (["true", "false"] * 20, "classification"),
        ([str(i % 20) for i in range(100)], "classification"),
        ([str(i % 21) for i in range(105)], "regression"),
        ([str(i) for i in range(20)], "regression"),
        ([f"{i % 3}.0" for i in range(30)], "regression"),
        ([f"{i % 3}.5" for i in range(30)], "regression"),
        (pd.Categorical([1.5, 2.5] * 10), "classification"),
        (np.array([0.0, 1.0] * 10), "regression"),
        (np.array([0, 1] * 10), "classification"),
    ],
)
def test_task_by_the_target(values: Any, task: str) -> None:
    assert target.task_of(series(values)) == task


def test_classes_keep_their_type() -> None:
    assert target.classes_of(series(["2", "10", "1"] * 3))[0] == (1, 2, 10)
    assert target.classes_of(series(["true", "false"] * 3))[0] == (False, True)
    assert target.classes_of(series([0.5, 1.5] * 3))[0] == ("0.5", "1.5")
    names, index = target.classes_of(series(["b", "ä", "a"] * 3))
    assert names == ("a", "b", "ä")
    np.testing.assert_array_equal(index[:3], [1, 2, 0])


@pytest.mark.parametrize(
    ("rows", "test", "validation"), [(100, 0.2, 0.1), (7, 0.2, 0.2), (3, 0.9, 0.1), (30, 0.9, 0.05)]
)
def test_split_is_a_partition_with_every_class_in_every_part(rows: int, test: float, validation: float) -> None:
    groups = np.repeat(np.arange(3), rows)
    parts = split_rows(groups, test, validation, 0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(3 * rows))
    for part in parts:
        counts = np.bincount(groups[part], minlength=3)
        assert counts.min() >= 1
        assert counts.min() == counts.max()
    for part, again in zip(parts, split_rows(groups, test, validation, 0), strict=True):
        np.testing.assert_array_equal(part, again)


@given(
    st.lists(
        st.text(max_size=4) | st.sampled_from(["", "1", "2.5", "inf", "true", "2020-01-01"]), min_size=2, max_size=40
    )
)
def test_any_column_becomes_finite_features_or_a_message(values: list[str]) -> None:
    table = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    try:
        fitted = TablePreprocessor().fit(table)
    except InputError:
        return
    features = fitted.transform(table)
    assert features.shape == (len(values), len(fitted.features()))
    assert np.all(np.isfinite(features))
    again = TablePreprocessor.from_dict(json.loads(json.dumps(fitted.to_dict())))
    np.testing.assert_array_equal(again.transform(table), features)
