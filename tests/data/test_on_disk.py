"""Files that stay on disk: reading them part by part gives their contents."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from zipsgd.data import DataError, Scaling, Table, load, load_rows
from zipsgd.memory import default_memory, parse_memory_size
from zipsgd.rows import ColumnSelection, column, in_memory, iterate_blocks, ranges, select_columns

KINDS = (np.float32, np.float64, np.uint8, np.int32, np.dtype(">f4"), np.float16)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd.rows._BLOCK_VALUES", 100)


def numbers(kind: npt.DTypeLike, columns: int = 6) -> npt.NDArray[np.generic]:
    return np.random.default_rng(columns).uniform(0, 200, (101, columns)).astype(kind)


def same(one: Table, other: Table) -> None:
    """Names, labels, and every row with its type."""
    assert (one.names, one.label_name, one.features.shape) == (
        other.names,
        other.label_name,
        other.features.shape,
    )
    np.testing.assert_array_equal(one.labels, other.labels, strict=True)
    np.testing.assert_array_equal(one.features[:], other.features[:], strict=True)
    order = np.random.default_rng(0).permutation(len(one.labels))
    np.testing.assert_array_equal(one.features[order], other.features[order], strict=True)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("label", [None, 0, 3, -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(kind: npt.DTypeLike, label: int | None, order: str, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.asarray(numbers(kind), order=order))
    whole = load(tmp_path / "t.npy", label=label)
    table = load(tmp_path / "t.npy", label=label, memory=1000)
    assert isinstance(table.features, ColumnSelection)
    assert isinstance(whole.features, np.ndarray)
    same(table, whole)


@pytest.mark.parametrize("memory", [1000, None])
def test_split(memory: int | None, tmp_path: Path) -> None:
    """Each row is in one of the two parts, in order, and a seed always selects the same rows."""
    numbered = np.column_stack([numbers(np.float64, 5), np.arange(101)])
    np.save(tmp_path / "t.npy", numbered)
    table = load(tmp_path / "t.npy", memory=memory)
    kept, held = table.split(0.25, 7)
    assert (kept.labels.size, held.labels.size) == (76, 25)
    for part in (kept, held, kept.select_columns([0, 1, 2, 3, 4])):
        assert (np.diff(part.labels) > 0).all()
        np.testing.assert_array_equal(part.features[:], numbered[part.labels.astype(int), :5])
        np.testing.assert_array_equal(
            part.select_columns([4, 1]).features[3:9], part.features[3:9][:, [4, 1]]
        )
        assert part.select_columns([4, 1]).names == ("column 4", "column 1")
    assert sorted([*kept.labels, *held.labels]) == list(range(101))
    np.testing.assert_array_equal(table.split(0.25, 7)[1].labels, held.labels)
    assert table.split(0.25, 8)[1].labels.tolist() != held.labels.tolist()
    for share in (-1, 0, 0.001, 0.999, 1, float("nan")):
        with pytest.raises(DataError, match="must be between 0 and 1 and leave at least one of the 101 rows"):
            table.split(share, 0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz(kind: npt.DTypeLike, order: str, tmp_path: Path) -> None:
    arrays = {"y": np.arange(101.0)[:, None], "X": np.asarray(numbers(kind), order=order)}
    np.savez(tmp_path / "t.npz", **arrays)
    np.savez_compressed(tmp_path / "c.npz", **arrays)
    table = load(tmp_path / "t.npz", memory=500)
    assert isinstance(table.features, ColumnSelection)
    same(table, load(tmp_path / "t.npz"))
    compressed = load(tmp_path / "c.npz", memory=500)
    assert isinstance(compressed.features, np.ndarray)
    np.testing.assert_array_equal(compressed.features, table.features[:])


def test_damaged_files_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=numbers(float), y=np.arange(101))
    whole = (tmp_path / "t.npz").read_bytes()
    (tmp_path / "t.npz").write_bytes(whole.replace(b"\x93NUMPY", b"\x93NUMPi"))
    with pytest.raises(DataError, match=r"t\.npz is not a NumPy archive"):
        load(tmp_path / "t.npz", memory=500)
    np.savez(tmp_path / "objects.npz", X=np.array([[1, "a"]] * 9, dtype=object), y=np.arange(9))
    with pytest.raises(DataError, match=r"objects\.npz is not a NumPy archive: it holds Python objects"):
        load(tmp_path / "objects.npz", memory=1)
    np.save(tmp_path / "t.npy", numbers(float))
    whole = (tmp_path / "t.npy").read_bytes()
    (tmp_path / "t.npy").write_bytes(whole[:-8])
    with pytest.raises(DataError, match=r"t\.npy is not a NumPy array file"):
        load(tmp_path / "t.npy", memory=500)
    np.save(tmp_path / "text.npy", np.array([["1", "2"]]))
    with pytest.raises(DataError, match="the type is <U1, but must be real numbers"):
        load(tmp_path / "text.npy", memory=1)
    np.save(tmp_path / "flat.npy", np.arange(3.0))
    with pytest.raises(DataError, match=r"shape is \(3,\)"):
        load(tmp_path / "flat.npy", memory=1)
    np.save(tmp_path / "none.npy", np.zeros((3, 0)))
    with pytest.raises(DataError, match="each row has only one value"):
        load(tmp_path / "none.npy", memory=1)
    np.savez(tmp_path / "flat.npz", X=np.arange(3.0), y=np.arange(3.0))
    with pytest.raises(DataError, match=r"X: the shape is \(3,\)"):
        load(tmp_path / "flat.npz", memory=1)


def test_values_that_are_not_finite_are_named_in_any_block(tmp_path: Path) -> None:
    values = numbers(np.float32)
    values[70, 2], values[90, 4], values[99, 1] = np.inf, np.nan, -np.inf
    np.save(tmp_path / "t.npy", values)
    for memory in (1, 1 << 20):
        with pytest.raises(DataError, match=r"column 'column 2' is inf in row 71 \(3 such values in all\)"):
            load(tmp_path / "t.npy", memory=memory)


def test_constant_columns(tmp_path: Path) -> None:
    values = numbers(np.float32)
    values[:, [1, 2]] = 7
    np.save(tmp_path / "t.npy", values)
    table = load(tmp_path / "t.npy", memory=1).without_constant_columns()
    assert isinstance(table.features, ColumnSelection)
    same(table, load(tmp_path / "t.npy").without_constant_columns())
    np.save(tmp_path / "c.npy", np.full((9, 3), 2.0))
    table = load(tmp_path / "c.npy", memory=1)
    with pytest.raises(DataError, match="all columns are constant"):
        table.without_constant_columns()


def test_arrays_that_are_mapped_stay_mapped(tmp_path: Path) -> None:
    for kind in (np.float32, np.uint8):
        np.save(tmp_path / "t.npy", numbers(kind))
        mapped = np.load(tmp_path / "t.npy", mmap_mode="r")
        table = Table.from_arrays(mapped[:, 1:], mapped[:, 0])
        assert isinstance(table.features, ColumnSelection)
        same(table, Table.from_arrays(np.array(mapped[:, 1:]), np.array(mapped[:, 0])))


def test_rows_to_predict_for(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", numbers(np.float32))
    np.savez(tmp_path / "t.npz", X=numbers(np.float32)[:, [0, 1, 2, 4, 5]], y=numbers(np.float32)[:, 3])
    for name, label in (("t.npy", 3), ("t.npz", None)):
        table = load(tmp_path / name, label=label)
        features, labels = load_rows(tmp_path / name, table.names, table.label_name, memory=1)
        assert isinstance(features, ColumnSelection)
        np.testing.assert_array_equal(features[:], table.features[:], strict=True)
        np.testing.assert_array_equal(labels, table.labels)


# Blocks


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_no_layout_changes_a_bit(kind: type[np.floating]) -> None:
    values = np.asarray(numbers(kind, 7))
    wide = np.zeros((202, 14), dtype=kind)
    wide[::2, 1::2] = values
    expected = ranges(values)
    np.testing.assert_array_equal(expected.low, values.min(axis=0))
    np.testing.assert_array_equal(expected.high, values.max(axis=0))
    np.testing.assert_allclose(expected.mean, values.mean(axis=0, dtype=np.float64), rtol=1e-14)
    labels = np.arange(101.0)
    scaling = Scaling.fit(Table.from_arrays(values, labels)).as_dict()
    for rows in (
        np.asfortranarray(values),
        wide[::2, 1::2],
        ColumnSelection(values),
        ColumnSelection(wide[::2], range(1, 14, 2)),
    ):
        for one, other in zip(ranges(rows), expected):
            np.testing.assert_array_equal(one, other)
        assert Scaling.fit(Table(rows, labels, tuple("abcdefg"), "rows")).as_dict() == scaling


def test_blocks_cover_every_row_once() -> None:
    values = np.asarray(numbers(np.float32))
    parts = [(part, block.copy()) for part, block in iterate_blocks(values)]
    assert max(block.size for _, block in parts) <= 100
    np.testing.assert_array_equal(np.concatenate([block for _, block in parts]), values)
    assert [part.start for part, _ in parts] == [0, *(part.stop for part, _ in parts)][:-1]
    np.testing.assert_array_equal(in_memory(ColumnSelection(values)), values, strict=True)
    np.testing.assert_array_equal(column(values, 4), values[:, 4].astype(np.float64), strict=True)
    assert len(list(iterate_blocks(np.zeros((3, 1000))))) == 3  # rows longer than a block


def test_selecting_columns() -> None:
    values = np.asarray(numbers(np.float32))
    for places in ([0], [1, 2, 3], [4, 1], [0, 1, 2, 3, 4, 5], [2, 2]):
        expected = values[:, places]
        np.testing.assert_array_equal(select_columns(values, places)[:], expected)
        np.testing.assert_array_equal(select_columns(ColumnSelection(values), places)[:], expected)
        twice = select_columns(select_columns(ColumnSelection(values), [5, 4, 3, 2, 1, 0]), places)
        np.testing.assert_array_equal(twice[:], values[:, ::-1][:, places])
    assert np.shares_memory(select_columns(values, [1, 2])[:], values)


# Memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2G", 2 << 30),
        ("1.5 GiB", 3 << 29),
        ("500m", 500 << 20),
        ("64kB", 64 << 10),
        ("1T", 1 << 40),
        ("4096", 4096),
        (".5K", 512),
    ],
)
def test_sizes_of_memory(text: str, size: int) -> None:
    assert parse_memory_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "2X", "-1G", "0", "1.2.3M", "2 G B", "nan"])
def test_invalid_sizes_of_memory(text: str) -> None:
    with pytest.raises(ValueError, match="is written like 2G or 500M, not "):
        parse_memory_size(text)


def test_some_memory_is_available() -> None:
    assert 1 << 20 <= default_memory() < 1 << 50


def test_memory_if_the_system_does_not_report_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the system's memory, or four gigabytes if the system does not report it."""

    def refuse(*_: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 1 << 12}.__getitem__)
    assert default_memory() == 1 << 29
    monkeypatch.setattr(os, "sysconf", refuse)
    assert default_memory() == 1 << 30


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 4194304 kB\n",
        "/sys/fs/cgroup/memory.max": "1073741824\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda path: told[str(path)])
    assert default_memory() == 1 << 28
    told["/sys/fs/cgroup/memory.max"] = "max\n"
    assert default_memory() == 1 << 30
