"""Data frames and arrays of any kind as tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import zipsgd
from zipsgd.data import DataError, Table, as_table

X = np.random.default_rng(4).normal(size=(60, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
Y = X @ [1, 2, -1]
NAMES = np.array(["ant", "bee", "cat"])[np.arange(60) % 3]

NULLABLE = FRAME.astype("Float64")
SPARSE = FRAME.astype(pd.SparseDtype("float64", 0.0))
MIXED = pd.DataFrame(
    {"a": X[:, 0] > 0, "b": pd.array(np.arange(60), dtype="Int64"), "c": X[:, 2].astype(np.float32)}
)


@pytest.mark.parametrize(
    "frame", [FRAME, NULLABLE, SPARSE, FRAME.astype(object)], ids=["float64", "Float64", "sparse", "object"]
)
def test_a_frame_keeps_names_and_values(frame: pd.DataFrame) -> None:
    for table in (
        Table.from_arrays(frame, pd.Series(Y, name="price")),
        as_table(frame, pd.Series(Y, name="price")),
    ):
        assert (table.names, table.label_name) == (("a", "b", "c"), "price")
        np.testing.assert_array_equal(table.features[:], X, strict=True)
        np.testing.assert_array_equal(table.labels, Y, strict=True)
    expected = zipsgd.train(X, Y, epochs=2).model_words
    assert zipsgd.train(frame, Y, epochs=2).model_words == expected


def test_columns_of_several_types() -> None:
    table = Table.from_arrays(MIXED, Y, source="mine")
    np.testing.assert_array_equal(
        table.features[:], np.column_stack([X[:, 0] > 0, np.arange(60), X[:, 2].astype(np.float32)])
    )
    single = Table.from_arrays(FRAME.astype(np.float32), Y)
    assert single.features[:].dtype == np.float32
    assert Table.from_arrays(FRAME, Y, names=["x", "y", "z"]).names == ("x", "y", "z")


def test_missing_values_name_row_and_column() -> None:
    holed = NULLABLE.copy()
    holed.loc[4, "b"] = pd.NA
    with pytest.raises(
        DataError, match=r"mine, features: column 'b' has no value in row 5 \(1 such rows in all\)"
    ):
        Table.from_arrays(holed, Y, source="mine")
    with pytest.raises(DataError, match="mine, labels has no value in row 2"):
        Table.from_arrays(X, pd.Series(Y).astype("Float64").where(lambda y: y != Y[1]), source="mine")
    with pytest.raises(DataError, match="column 'b' is nan in row 5"):
        Table.from_arrays(holed.astype(float), Y)


@pytest.mark.parametrize(
    "labels",
    [
        NAMES,
        NAMES.tolist(),
        NAMES.astype(object),
        *(pd.Series(NAMES).astype(t) for t in ("object", "category", "string")),
    ],
    ids=["array", "list", "objects", "series", "category", "string"],
)
def test_classes_of_text(labels: Any) -> None:
    result = zipsgd.train(X, labels, classify=True, epochs=3, validation=(X, labels))
    assert isinstance(result, zipsgd.ClassifierResult)
    assert result.classes == ["ant", "bee", "cat"]
    assert result.score(X, labels) == result.held_out_score == result.train_score
    assert set(result.predict(X).tolist()) <= set(NAMES.tolist())
    numbers = zipsgd.train(X, np.arange(60) % 3, classify=True, epochs=3)
    assert numbers.model_words == result.model_words
    assert numbers.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("X", "y", "words", "says"),
    [
        (
            X,
            NAMES,
            {},
            "X: the label 'label' is text, such as 'ant', 'bee', 'cat': --classify trains a classifier on it",
        ),
        (X, [*NAMES[:59], None], {}, "y: the value in row 60 is None: leave that row out"),
        (X, [*NAMES[:59], 3.5], {"classify": True}, None),
        (X, np.array([*NAMES[:59], 3.5], dtype=object), {}, "y: there are numbers beside text"),
        (X, np.array([*Y[:59], float("nan")], dtype=object), {}, "y: the value in row 60 is nan"),
        (
            X,
            np.array([*Y[:59], pd.NA], dtype=object),
            {},
            "y: the value in row 60 is <NA>: leave that row out",
        ),
        (
            X,
            np.array([*Y[:59], {}], dtype=object),
            {},
            "y: the value in row 60 is {}: make it a number or text",
        ),
        (
            FRAME.assign(d=NAMES),
            Y,
            {},
            "X: column 'd' holds no real numbers .*, such as 'ant', 'bee', 'cat': leave it out, or",
        ),
        (
            X,
            Y,
            {"validation": (X, NAMES)},
            "validation: the labels must be numbers, as those to train on are",
        ),
        (
            X,
            NAMES,
            {"classify": True, "validation": (X, Y)},
            "validation: the labels must be text, as those to train on are",
        ),
    ],
)
def test_what_does_not_fit_is_named(X: Any, y: Any, words: dict[str, Any], says: str | None) -> None:
    if says is None:  # NumPy makes text of all of them
        assert "3.5" in zipsgd.train(X, y, epochs=1, **words).as_dict()["classes"]
        return
    with pytest.raises(DataError, match=says):
        zipsgd.train(X, y, epochs=1, **words)
