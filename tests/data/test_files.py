"""Files: written data are read back, and errors name what is broken."""

import re
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zipsgd.data import DataError, Table, load, load_file

Values = npt.NDArray[np.float64]

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
GRIDS = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=FLOATS)
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def error_of(path: Path, **arguments: str | int) -> str:
    """The message of the error, which names the file."""
    with pytest.raises(DataError) as caught:
        load_file(path, **arguments)
    assert str(path) in str(caught.value)
    return str(caught.value)


@IN_A_FOLDER
@given(
    GRIDS,
    st.sampled_from([",", ";", "\t", ", ", " "]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_csv_round_trip(
    tmp_path: Path, grid: Values, delimiter: str, headed: bool, end: str, comments: bool
) -> None:
    lines = [delimiter.join(f"h{i}" for i in range(grid.shape[1]))] if headed else []
    lines += [delimiter.join(map(repr, map(float, row))) for row in grid]
    if comments:
        lines = ["# a comment", "@relation of KEEL", "", *lines[:-1], "", "# another", lines[-1]]
    path = write(tmp_path / "t.csv", "\ufeff" * headed + end.join(lines) + end)
    table = load_file(path)
    np.testing.assert_array_equal(table.features, grid[:, :-1])
    np.testing.assert_array_equal(table.labels, grid[:, -1])
    prefix = "h" if headed else "column "
    assert table.names == tuple(f"{prefix}{i}" for i in range(grid.shape[1] - 1))
    assert table.label_name == f"{prefix}{grid.shape[1] - 1}"


@IN_A_FOLDER
@given(GRIDS, st.data())
def test_label_by_name_or_index(tmp_path: Path, grid: Values, data: st.DataObject) -> None:
    columns = grid.shape[1]
    index = data.draw(st.integers(0, columns - 1))
    text = "\n".join(",".join(map(repr, map(float, row))) for row in grid)
    path = write(tmp_path / "t.csv", ",".join(f"h{i}" for i in range(columns)) + "\n" + text)
    for label in (f"h{index}", index, str(index), index - columns):
        table = load_file(path, label=label)
        np.testing.assert_array_equal(table.labels, grid[:, index])
        np.testing.assert_array_equal(table.features, np.delete(grid, index, axis=1))
        assert f"h{index}" not in table.names


@IN_A_FOLDER
@given(GRIDS, st.sampled_from([np.float32, np.float64, np.float16, np.int32]))
def test_numpy_round_trip(tmp_path: Path, grid: Values, dtype: type[np.generic]) -> None:
    array = np.clip(grid, -1000, 1000).astype(dtype)
    np.save(tmp_path / "t.npy", array)
    table = load_file(tmp_path / "t.npy", label=0)
    np.testing.assert_array_equal(table.features, array[:, 1:])
    np.testing.assert_array_equal(table.labels, array[:, 0])
    assert table.features.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.savez(tmp_path / "t.npz", X=array[:, 1:], y=array[:, :1])  # labels as a column
    again = load_file(tmp_path / "t.npz")
    np.testing.assert_array_equal(again.features, table.features)
    np.testing.assert_array_equal(again.labels, table.labels)


@IN_A_FOLDER
@given(GRIDS, st.booleans())
def test_libsvm_round_trip(tmp_path: Path, grid: Values, comments: bool) -> None:
    grid[0, 0] = 1.0  # else the last columns may not occur
    grid[0, -1] = 1.0
    lines = [
        f"{float(row[0])!r} " + " ".join(f"{i}:{float(v)!r}" for i, v in enumerate(row) if i and v)
        for row in grid
    ]
    if comments:
        lines = ["# a comment", "", *(f"  {line}  # of a row" for line in lines)]
    table = load_file(write(tmp_path / "t.libsvm", "\n".join(lines)))
    np.testing.assert_array_equal(table.labels, grid[:, 0])
    np.testing.assert_array_equal(table.features, grid[:, 1:])
    assert table.names[0] == "column 1"


def test_libsvm_in_several_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd.data.libsvm_file._BLOCK", 64)
    rows = [(k, k % 7 + 1, k / 8) for k in range(100)]
    table = load_file(write(tmp_path / "t.svm", "".join(f"{k} {i}:{v}\n" for k, i, v in rows)))
    expected = np.zeros((100, 7))
    for k, i, v in rows:
        expected[k, i - 1] = v
    np.testing.assert_array_equal(table.features, expected)
    np.testing.assert_array_equal(table.labels, range(100))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n1,2\n3\n", r"line 3: 1 values, but the lines before have 2"),
        ("a,b\n1,2\n3,4,5\n", r"line 3: 3 values, but the lines before have 2"),
        ("a,b,c\n1,2\n3,4\n", r"line 2: 2 values, but the lines before have 3"),
        ("1,2\n\n# x\n3,4,5\n", r"line 4: 3 values, but the lines before have 2"),
        ("a,b\n1,2\n3,x\n", r"line 3, column 'b': 'x' is not a number; correct it or leave the row out"),
        ("a,b\n1,2\n,4\n", r"line 3, column 'a': the cell is empty"),
        ("1,2,\n3,4,\n", r"line 1, column 'column 2': the cell is empty"),
        ("a,b\n1,nan\n", r"line 2, column 'b': 'nan' stands for a missing value"),
        ("a,b\n1,2\n-inf,4\nnan,5\n", r"line 3, column 'a': -inf is not a finite number"),
        ("a,b\n", "holds no rows of numbers"),
        ("# nothing\n\n", "holds no rows of numbers"),
        ("\n\n", "holds no rows of numbers"),
        ("1\n2\n", "each row has only one value"),
        ("a,a,b\n1,2,3\n", "two columns are called 'a'"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe,\n", "is not text .* CSV, NPY, NPZ and LIBSVM files can be read"),
        ("", "is empty"),
        ('a,b\n"1,2\n', "line 2"),
    ],
)
def test_broken_csv(tmp_path: Path, content: str | bytes, says: str) -> None:
    assert re.search(says, error_of(write(tmp_path / "t.csv", content)))


@pytest.mark.parametrize(
    ("label", "says"),
    [("price", "no column 'price'; columns: a, b"), (2, "no column 2; there are 2"), ("-3", "no column -3")],
)
def test_no_such_label(tmp_path: Path, label: str | int, says: str) -> None:
    assert says in error_of(write(tmp_path / "t.csv", "a,b\n1,2\n"), label=label)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "1 1:2\nx 1:2\n",
            r"line 2, field 1 \('x'\): the label is not a finite number; a line of the LIBSVM format is",
        ),
        ("1 1:2\n1 0:2\n", "line 2, field 2 .*index 0 is not in 1..65536"),
        ("1 1:2\n1 999999999:2\n", "line 2, field 2 .*index 999999999 is not in 1..65536"),
        ("1 1:\n", "line 1, field 2"),
        ("1 1:2 3\n", "line 1, field 3"),
        ("1 3:4 5\n1 3:\n", "line 1, field 3"),  # as many numbers as there should be
        ("1 1.5:2\n", "line 1, field 2"),
        ("1,2 1:2\n", "line 1, field 1"),
        ("1 qid:3 1:2\n", "line 1, field 2 .*query numbers"),
        ("1 1:nan\n", "line 1, field 2 .*column 1 is nan"),
        ("1 1:1e999\n", "line 1, field 2 .*column 1 is inf"),
        ("1 1:2\n1 2:3:4 5\n", r"line 2, field 2 \('2:3:4'\): not index:value"),
        ("1:2 2:3 1\n", r"line 1, field 1 \('1:2'\): the label is not"),
        ("1 1:0.5 1:2\n", "line 1, field 3 .*index 1 comes after 1"),
        ("1 3:0.5 2:2\n", "line 1, field 3 .*index 2 comes after 3"),
        ("nan 1:2\n", "line 1, field 1"),
        ("# nothing\n", "holds no rows"),
        (b"1 1:2\n\xff\xfe\n", "is not text"),
        ("1\n-1\n", "holds no data: 2 rows of 0 features"),
    ],
)
def test_broken_libsvm(tmp_path: Path, content: str | bytes, says: str) -> None:
    assert re.search(says, error_of(write(tmp_path / "t.libsvm", content)))


def test_broken_numpy(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.arange(12.0).reshape(4, 3))
    whole = (tmp_path / "t.npy").read_bytes()
    assert "not a NumPy array file" in error_of(write(tmp_path / "cut.npy", whole[:-8]))
    assert "not a NumPy array file" in error_of(write(tmp_path / "head.npy", whole[:20]))
    assert "not a NumPy array file" in error_of(write(tmp_path / "text.npy", "1,2,3\n"))
    header = whole[:68] + b"\0" + whole[69:]
    assert "not a NumPy array file" in error_of(write(tmp_path / "header.npy", header))
    huge = whole.replace(b"(4, 3), ", b"(999999999999, 99), ")
    assert "not a NumPy array file" in error_of(write(tmp_path / "huge.npy", huge))
    np.save(tmp_path / "objects.npy", np.array([[1, "a"]], dtype=object))
    assert "not a NumPy array file" in error_of(tmp_path / "objects.npy")
    np.save(tmp_path / "text.npy", np.array([["1", "2"]]))
    assert "the type is <U1, but must be real numbers" in error_of(tmp_path / "text.npy")
    np.save(tmp_path / "flat.npy", np.arange(3.0))
    assert "shape is (3,)" in error_of(tmp_path / "flat.npy")


def test_broken_npz(tmp_path: Path) -> None:
    grid = np.arange(12.0).reshape(4, 3)
    np.savez_compressed(tmp_path / "t.npz", X=grid, y=grid[:, 0])
    whole = (tmp_path / "t.npz").read_bytes()
    assert "not a NumPy archive" in error_of(write(tmp_path / "cut.npz", whole[:-30]))
    assert "not a NumPy archive" in error_of(write(tmp_path / "text.npz", "1,2,3\n"))
    np.savez(tmp_path / "names.npz", features=grid)
    assert "must hold arrays X and y; it holds features" in error_of(tmp_path / "names.npz")
    np.savez(tmp_path / "x.npz", X=grid)
    assert "not y, the array of labels" in error_of(tmp_path / "x.npz")
    np.savez(tmp_path / "deep.npz", X=grid, y=grid[:, :2, None])
    assert "one label per row" in error_of(tmp_path / "deep.npz")
    np.savez(tmp_path / "long.npz", X=grid, y=np.arange(5))
    assert "labels of shape (5,)" in error_of(tmp_path / "long.npz")
    np.savez(tmp_path / "classes.npz", X=grid, y=np.array(["a", "b", "a", "b"]))
    assert load_file(tmp_path / "classes.npz").labels.tolist() == ["a", "b", "a", "b"]
    np.savez(tmp_path / "objects.npz", X=grid, y=np.array([1, None, 2, 3]))
    assert "not a NumPy archive" in error_of(tmp_path / "objects.npz")
    np.savez(tmp_path / "wide.npz", X=grid, y=grid[:, :2])
    np.testing.assert_array_equal(load_file(tmp_path / "wide.npz").labels, grid[:, :2])
    np.savez(tmp_path / "fine.npz", X=grid, y=grid[:, 0])
    assert "leave out the name of the label" in error_of(tmp_path / "fine.npz", label="y")


@IN_A_FOLDER
@given(st.data(), st.sampled_from(["npy", "npz", "csv", "libsvm"]))
def test_damage_is_a_data_error_or_other_data(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    grid = np.arange(12.0).reshape(4, 3)
    path = tmp_path / f"t.{kind}"
    if kind == "npy":
        np.save(path, grid)
    elif kind == "npz":
        np.savez_compressed(path, X=grid, y=grid[:, 0])
    else:
        write(path, "a,b\n1,2\n3,4\n" if kind == "csv" else "1 1:2 2:3\n-1 1:4\n")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    write(path, bytes(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about headers it does not like
        with suppress(DataError):
            assert np.isfinite(load_file(path).features).all()


def test_missing_files_name_the_sets(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*none\.csv.*named sets: cadata, "):
        load(str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="is a folder"):
        load(str(tmp_path))


def test_arrays() -> None:
    table = Table.from_arrays([[1, 2], [3, 4]], [[5], [6]], source="mine")
    assert table.names == ("column 0", "column 1")
    np.testing.assert_array_equal(table.labels, [5.0, 6.0])
    with pytest.raises(DataError, match="mine: there are 1 names for 2 columns"):
        Table.from_arrays([[1, 2], [3, 4]], [5, 6], ["a"], "mine")
    assert Table.from_arrays([[1, 2], [3, 4]], ["a", "b"], source="mine").labels.tolist() == ["a", "b"]
    with pytest.raises(DataError, match="mine, labels: the type is complex128"):
        Table.from_arrays([[1, 2], [3, 4]], [1j, 2j], source="mine")
    with pytest.raises(DataError, match=r"mine, features has the shape \(2,\)"):
        Table.from_arrays([1, 2], [3, 4], source="mine")
