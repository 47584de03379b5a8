"""Parquet and Arrow files: values, types, missing values, and sets that are larger than memory."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import zipsgd
from zipsgd.data import DataError, Table, load, load_rows
from zipsgd.data.columnar_file import GroupRows
from zipsgd.data.one_hot import OneHotRows

ROWS = 101
COLUMNS: dict[str, Any] = {
    "single": np.linspace(-1, 1, ROWS, dtype=np.float32),
    "whole": np.arange(ROWS, dtype=np.int64) * 3,
    "town": np.array(["Rome", "Paris", "Oslo"])[np.arange(ROWS) % 3],
    "flag": np.arange(ROWS) % 2 == 0,
    "y": np.arange(ROWS) / 7,
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd.rows._BLOCK_VALUES", 100)


def save(path: Path, columns: dict[str, Any]) -> Path:
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=17)
    else:
        feather.write_feather(table, path, chunksize=17)
    return path


@pytest.fixture(params=["parquet", "feather"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save(tmp_path / f"t.{request.param}", COLUMNS)


@pytest.mark.parametrize("memory", [1, None])
def test_values(path: Path, memory: int | None) -> None:
    table = load(path, memory=memory, one_hot="town")
    expected = np.column_stack(
        [
            COLUMNS["single"],
            COLUMNS["whole"],
            *(COLUMNS["town"] == t for t in ("Oslo", "Paris", "Rome")),
            COLUMNS["flag"],
        ]
    )
    assert table.names == ("single", "whole", "town=Oslo", "town=Paris", "town=Rome", "flag")
    assert isinstance(table.features, OneHotRows if memory else np.ndarray)
    np.testing.assert_array_equal(table.features[:], expected)
    np.testing.assert_array_equal(table.labels, COLUMNS["y"])
    order = np.random.default_rng(0).permutation(ROWS)
    np.testing.assert_array_equal(table.features[order], expected[order])
    np.testing.assert_array_equal(table.select_columns([4, 0]).features[:][:, 1], expected[:, 0])


def test_single_precision_stays(path: Path) -> None:
    for memory in (1, None):
        features = load(path, memory=memory, ignore=["whole", "town", "flag"]).features
        assert features[:].dtype == np.float32
        assert isinstance(features, GroupRows if memory else np.ndarray)


def test_rows_are_read_by_several_threads(path: Path) -> None:
    features = load(path, memory=1, ignore="town").features
    expected = features[:]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda start: features[start : start + 20], list(range(0, ROWS, 3)) * 4))
    for start, part in zip(list(range(0, ROWS, 3)) * 4, found):
        np.testing.assert_array_equal(part, expected[start : start + 20])


@pytest.mark.parametrize("memory", [1, None])
def test_missing_values_are_named(tmp_path: Path, memory: int | None) -> None:
    holed = [None if k == 40 else k for k in range(ROWS)]
    path = save(tmp_path / "t.parquet", {**COLUMNS, "whole": holed})
    says = r"t\.parquet, row 41, column 'whole': the value is missing; fill it in or leave the row out"
    with pytest.raises(DataError, match=says):
        load(path, ignore="town", memory=memory)
    assert load(path, ignore=["town", "whole"], memory=memory).features.shape == (ROWS, 2)
    path = save(tmp_path / "t.parquet", {"a": np.arange(ROWS), "kind": [None, *["ant"] * 100]})
    with pytest.raises(DataError, match="row 1, column 'kind': the value is missing"):
        load(path)
    path = save(
        tmp_path / "t.parquet", {"a": np.where(np.arange(ROWS) == 7, np.nan, 1), "y": np.arange(ROWS)}
    )
    with pytest.raises(DataError, match="column 'a' is nan in row 8"):
        load(path, memory=memory)


def test_types_that_are_no_numbers(tmp_path: Path, path: Path) -> None:
    with pytest.raises(
        DataError, match=r"row 1, column 'town': text, such as 'Rome', 'Paris', 'Oslo': --one-hot town"
    ):
        load(path)
    days = np.arange(ROWS).astype("datetime64[D]")
    with pytest.raises(DataError, match=r"column 'day': the type is date32\[day\], but must be real numbers"):
        load(save(tmp_path / "d.parquet", {"day": days, "y": np.arange(ROWS)}))
    coded = pa.array(COLUMNS["town"]).dictionary_encode()
    table = load(save(tmp_path / "c.parquet", {"a": np.arange(ROWS), "town": coded}))
    assert set(table.labels) == {"Rome", "Paris", "Oslo"}


def test_broken_files(tmp_path: Path, path: Path) -> None:
    content = path.read_bytes()
    broken = tmp_path / f"broken{path.suffix}"
    broken.write_bytes(content[:-20])
    with pytest.raises(DataError, match=r"broken\..* is not an? (Parquet|Arrow) file"):
        load(broken)
    with pytest.raises(DataError, match="a header is of text files"):
        load(path, header=True)
    with pytest.raises(DataError, match="holds no rows"):
        load(save(tmp_path / "none.parquet", {"a": np.arange(0), "y": np.arange(0)}))


def test_the_bits_do_not_depend_on_memory_or_format(tmp_path: Path, path: Path) -> None:
    words: dict[str, Any] = {"one_hot": ["town"]}
    table = load(path, **words)
    expected = zipsgd.train(table, epochs=2)
    assert zipsgd.train(load(path, memory=1, **words), epochs=2, memory=1).model_words == expected.model_words
    plain = Table.from_arrays(np.asarray(table.features), table.labels)
    assert zipsgd.train(plain, epochs=2).model_words == expected.model_words
    features, labels = load_rows(
        path, expected.columns, expected.label, memory=1, categories=expected.categories
    )
    np.testing.assert_array_equal(features[:], table.features)
    np.testing.assert_array_equal(labels, table.labels)


_PEAK = """
import sys, zipsgd
from pathlib import Path
zipsgd.train(zipsgd.load(sys.argv[1], memory=1 << 20), epochs=1, memory=1 << 20)
lines = Path("/proc/self/status").read_text().splitlines()
print(int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10)
"""
"""The peak of the process itself: getrusage() would have that of the process which has started it."""


def test_peak_memory_is_that_of_a_row_group(tmp_path: Path) -> None:
    """192 MB more of numbers in row groups of 4 MB add some 100 bytes a row, for labels and orders, and a few row groups. The
    smaller set is large enough for all samples of rows to have their full size."""
    part = pa.table(
        {f"c{i}": np.random.default_rng(i).integers(0, 100, 8192).astype(np.float64) for i in range(64)}
    )
    for groups in (16, 64):
        with parquet.ParquetWriter(tmp_path / f"{groups}.parquet", part.schema) as file:
            for _ in range(groups):
                file.write_table(part)
    commands = [[sys.executable, "-c", _PEAK, str(tmp_path / f"{groups}.parquet")] for groups in (16, 64)]
    little, much = (int(subprocess.check_output(command, text=True)) for command in commands)
    assert much - little < 32 << 20


def test_texts_that_lie_outside_the_file_are_refused(tmp_path: Path) -> None:
    """Arrow reads them from anywhere in memory, and may crash."""
    table = pa.table({"s": ["aaa", "bbbb", "cc"] * 5, "y": np.arange(15.0)})
    path = tmp_path / "broken.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    content = bytearray(path.read_bytes())
    place = content.find(np.array([0, 3, 7, 9], dtype="<i4").tobytes())
    content[place + 4 : place + 8] = np.array([1 << 30], dtype="<i4").tobytes()
    path.write_bytes(content)
    for words in ({}, {"one_hot": ["s"]}):
        with pytest.raises(DataError, match="is broken in batch 0"):
            load(str(path), label="y", **words)


def test_labels_to_predict_may_be_missing(tmp_path: Path, path: Path) -> None:
    features, labels = load_rows(path, ["single", "flag"], "y")
    np.testing.assert_array_equal(features[:], np.column_stack([COLUMNS["single"], COLUMNS["flag"]]))
    np.testing.assert_array_equal(labels, COLUMNS["y"])
    assert load_rows(path, ["single"], "town")[1].tolist() == COLUMNS["town"].tolist()
    holed = save(
        tmp_path / "h.parquet", {**COLUMNS, "y": [None, *[1.5] * 100], "town": [None, *["Rome"] * 100]}
    )
    for label in ("y", "town", "none"):
        features, labels = load_rows(holed, ["single", "flag"], label)
        assert features.shape == (ROWS, 2)
        assert labels is None
    with pytest.raises(DataError, match="column 'town': text, such as 'Rome'"):
        load_rows(holed, ["single", "town"], "y")
