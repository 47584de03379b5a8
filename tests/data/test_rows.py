"""Rows for prediction: the model's columns are found in other data."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from zipsgd.data import DataError, load, load_rows

GRID = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def csv(path: Path, header: str, grid: Iterable[Iterable[object]]) -> str:
    path.write_text("\n".join([*([header] if header else []), *(",".join(map(str, row)) for row in grid)]))
    return str(path)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[tuple[str, ...], str]:
    """Columns and label of a file with the header a, b, y."""
    table = load(csv(tmp_path / "train.csv", "a,b,y", GRID))
    return table.names, table.label_name


def test_by_name_in_any_order(tmp_path: Path, trained: tuple[tuple[str, ...], str]) -> None:
    features, labels = load_rows(csv(tmp_path / "t.csv", "y,other,b,a", [[9, 7, 2, 1]]), *trained)
    np.testing.assert_array_equal(features, [[1, 2]])
    np.testing.assert_array_equal(labels, [9])
    features, labels = load_rows(csv(tmp_path / "t.csv", "b,a", [[2, 1]]), *trained)
    np.testing.assert_array_equal(features, [[1, 2]])
    assert labels is None


def test_in_order_without_a_header(tmp_path: Path, trained: tuple[tuple[str, ...], str]) -> None:
    features, labels = load_rows(csv(tmp_path / "t.csv", "", [[1, 2]]), *trained)
    np.testing.assert_array_equal(features, [[1, 2]])
    assert labels is None
    with pytest.raises(DataError, match="has 3 columns, but not all of the 2"):
        load_rows(csv(tmp_path / "t.csv", "", GRID), *trained)


def test_a_missing_column_is_named(tmp_path: Path, trained: tuple[tuple[str, ...], str]) -> None:
    with pytest.raises(DataError, match=r"'b' missing"):
        load_rows(csv(tmp_path / "t.csv", "a,c", [[1, 2]]), *trained)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_files_without_header_with_and_without_the_label(tmp_path: Path, label: int) -> None:
    table = load(csv(tmp_path / "t.csv", "", GRID), label=label)
    features, labels = load_rows(str(tmp_path / "t.csv"), table.names, table.label_name)
    np.testing.assert_array_equal(features, table.features)
    np.testing.assert_array_equal(labels, table.labels)
    np.save(tmp_path / "t.npy", table.features)
    features, labels = load_rows(str(tmp_path / "t.npy"), table.names, table.label_name)
    np.testing.assert_array_equal(features, table.features)
    assert labels is None


def test_columns_that_were_dropped_as_constant(tmp_path: Path) -> None:
    grid = np.array([[1.0, 7.0, 3.0, 1.0], [4.0, 7.0, 6.0, 2.0]])
    path = csv(tmp_path / "t.csv", "", grid)
    table = load(path).without_constant_columns()
    features, _ = load_rows(path, table.names, table.label_name)
    np.testing.assert_array_equal(features, grid[:, [0, 2]])


def test_npz_and_libsvm(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=GRID, y=[1, 2])
    table = load(str(tmp_path / "t.npz"))
    features, labels = load_rows(str(tmp_path / "t.npz"), table.names, table.label_name)
    np.testing.assert_array_equal(features, GRID)
    np.testing.assert_array_equal(labels, [1, 2])
    np.savez(tmp_path / "x.npz", X=GRID)
    assert load_rows(str(tmp_path / "x.npz"), table.names, table.label_name)[1] is None
    (tmp_path / "train.svm").write_text("1 1:5 4:7\n-1 2:3\n")
    (tmp_path / "t.svm").write_text("1 2:9\n")  # no column 4
    table = load(str(tmp_path / "train.svm"))
    features, labels = load_rows(str(tmp_path / "t.svm"), table.names, table.label_name)
    np.testing.assert_array_equal(features, [[0, 9, 0, 0]])
    np.testing.assert_array_equal(labels, [1])


def test_values_must_be_finite(tmp_path: Path, trained: tuple[tuple[str, ...], str]) -> None:
    with pytest.raises(DataError, match="line 2, column 'b': 'nan' stands for a missing"):
        load_rows(csv(tmp_path / "t.csv", "b,a", [["nan", 1]]), *trained)
