"""Text files as people have them: every dialect gives its values and names, or an error that names line and column."""

import bz2
import gzip
import logging
import lzma
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zipsgd.data import DataError, Table, load
from zipsgd_bench.random_files import KINDS, check, draw


def table_of(folder: Path, content: str | bytes, name: str = "t.csv", **words: Any) -> Table:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(folder / name, **words)


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("0,1,2\n5,6,8\n", "0 1 2", [[5, 6, 8]]),
        ('"0","1"\n5,6\n', "0 1", [[5, 6]]),
        ("2019,2020,2021\n1,2,5\n", "2019 2020 2021", [[1, 2, 5]]),
        ("id,2019,2020,2021\n1,2,3,4\n", "id 2019 2020 2021", [[1, 2, 3, 4]]),
        ("@timestamp,cpu,price\n1,2,3\n", "@timestamp cpu price", [[1, 2, 3]]),
        ("#id,a,price\n1,2,3\n", "id a price", [[1, 2, 3]]),
        ("# id,a,price\n1,2,3\n", "id a price", [[1, 2, 3]]),
        ("# made of air\na,b,c\n1,2,3\n", "a b c", [[1, 2, 3]]),
        ('"a", "b"\n1, 2\n', "a b", [[1, 2]]),
        ('"a;x",b\n"1", "2"\n', "a;x b", [[1, 2]]),
        ('"a\nx",b\n1,2\n', "a\nx b", [[1, 2]]),
        ("a;b\n1,5;-2,5e1\n", "a b", [[1.5, -25]]),
        ("sep=;\na;b\n1,5;2\n", "a b", [[1.5, 2]]),
        ("a\tb\n1,5\t2\n,5\t3\n", "a b", [[1.5, 2], [0.5, 3]]),
        ("a b\n 1   2 \n3 4\n", "a b", [[1, 2], [3, 4]]),
        ('a b\n"1" 2\n3 4\n', "a b", [[1, 2], [3, 4]]),
        ("x;y b\n1 2\n", "x;y b", [[1, 2]]),
        ("a,b\n1,2\n \t\n3,4\n", "a b", [[1, 2], [3, 4]]),
        ("a\tb\n1\t2\n\t\t\n3\t4\n", "a b", [[1, 2], [3, 4]]),
        ("a,b\n1,2\n@x\n# y\n3,4\n\n\n", "a b", [[1, 2], [3, 4]]),
        ('a,b\n"1",2\n@x\n3,4\n', "a b", [[1, 2], [3, 4]]),
        ("a,b\n1,2 # a, note\n3,4\n", "a b", [[1, 2], [3, 4]]),
        ("a,b\r1,2\r3,4", "a b", [[1, 2], [3, 4]]),
        ("\ufeffa,b\r\n1,2\r\n", "a b", [[1, 2]]),
        ("a,b\ntrue,1\nFALSE,2\n", "a b", [[1, 1], [0, 2]]),
        ("x,1\n3,4\n5,6\n", "x 1", [[3, 4], [5, 6]]),
        ('"a";"b"\n"1";2;3\n"2";4;5\n', "Unnamed:_0 a b", [[1, 2, 3], [2, 4, 5]]),
        ("a,b\n1e-310,4.9e-324\n.5,+1.\n", "a b", [[1e-310, 5e-324], [0.5, 1]]),
    ],
)
def test_names_and_values(tmp_path: Path, content: str, names: str, rows: list[list[float]]) -> None:
    table = table_of(tmp_path, content)
    assert (*table.names, table.label_name) == tuple(name.replace("_", " ") for name in names.split(" "))
    np.testing.assert_array_equal(np.column_stack([table.features, table.labels]), rows)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("0,1\n1,0\n1,1\n", 3),
        ("1,2,3\n4,5,6\n", 2),
        ("0,1,2\n1,2,3\n", 2),
        ("5,6,7\n1,9,4\n", 2),
        ("0,2,1\n1,9,4\n", 2),
        ('"0","1"\n"5","6"\n', 2),
        ('"5","6"\n"1\n","2"\n', 2),
        ("1,5;2,5\n3,5;4\n", 2),
        ("1 2 3\n", 1),
        ("# a note on it\n\n1,2,3,4\n", 1),
    ],
)
def test_a_first_row_of_data_is_data(tmp_path: Path, content: str, rows: int) -> None:
    table = table_of(tmp_path, content)
    assert len(table.labels) == rows
    assert table.names[0] == "column 0"


def test_the_user_has_the_last_word_on_headers(tmp_path: Path) -> None:
    assert table_of(tmp_path, "5,6\n1,9\n", header=True).names == ("5",)
    assert len(table_of(tmp_path, "0,1,2\n1,9,4\n", header=False).labels) == 2
    with pytest.raises(DataError, match="line 1, column 'column 0': 'a' is not a number"):
        table_of(tmp_path, "a,b\n1,2\n3,4\n", header=False)


def test_pandas_index(tmp_path: Path) -> None:
    table = table_of(tmp_path, ",0,1,2\n0,1.5,2.5,3.5\n1,1,2,4\n", ignore="Unnamed: 0")
    assert (table.names, table.labels.tolist()) == (("0", "1"), [3.5, 4])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("NA,?,3\n1,2,3\n", "line 1, column 'column 0': 'NA' stands for a missing value; fill it in"),
        (
            "a,b\n1,2\n2020-01-02,3\n",
            "line 3, column 'a': '2020-01-02' is a date or a time; make numbers of it",
        ),
        ('a,b\n1,2\n"1,5",3\n', "line 3, column 'a': '1,5' has a decimal comma; write a decimal point"),
        ('a,b\n1,2\n"1,500",3\n', "line 3, column 'a': '1,500' has marks between thousands"),
        ("a,b\n1,2\ntrue,3\n", "line 3, column 'a': 'true' in a column of numbers; write 1 for true"),
        ("a,b\ntrue,2\nfalse,2\n7,3\n", "line 4, column 'a': '7' is neither true nor false"),
        ("a,b\n19-Sep-03,2\n18-Sep-03,1\n", "line 2, column 'a': '19-Sep-03' is a date or a time"),
        ("2,1,red,blue\n" + "1,2,3,4,5\n" * 9, "line 2: 5 values, but the lines before have 4"),
        ("a,b\n1,2\n$5,3\n", "line 3, column 'a': '\\$5' has a unit"),
        ("a,b\n1,2\n1e999,3\n", "line 3, column 'a': 1e999 is not a finite number in the range of float64"),
        (
            "a,b\n1,2\n3:4,3\n",
            "line 3, column 'a': '3:4' looks like a value of the LIBSVM format; --format libsvm",
        ),
        ('"a\nx",b\n\n# y\n1,2\n3,x\n', "line 6, column 'b': 'x' is not a number; correct it"),
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 values, but the lines before have 2"),
        ('a,b\n1,2\n"3,4\n5,6\n', "line 3: 1 values, but the lines before have 2; a quote may be missing"),
        (b"a,b\n1,2\n\xe9,3\n", "line 3, column 'a': the text is not UTF-8; save the file as UTF-8"),
        (b"gr\xf6\xdfe,b\n1,2\n", "line 1: the header is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("1,x,3\n4,5,6\n", "line 1, column 'column 1': 'x' is not a number"),
        ("x,1.5\n4,5\n6,7\n", "line 1, column 'column 0': 'x' is not a number"),
        (
            "a,town,y\n1,Rome,2\n2,Paris,3\n",
            "line 2, column 'town': text, such as 'Rome', 'Paris': --one-hot town makes",
        ),
        (
            "a,day,y\n1,2020-01-31,2\n2,2020-02-01,3\n",
            "line 2, column 'day': '2020-01-31' is a date or a time; make",
        ),
        (
            'a,b,y\n1,"1,5",2\n2,"2,5",3\n',
            "line 2, column 'b': '1,5' has a decimal comma; write a decimal point",
        ),
        ('a,y\n1,"1,5"\n2,"2,5"\n', "line 2, column 'y': '1,5' has a decimal comma; write a decimal point"),
        (
            "a,b,y\n1,5 %,2\n2,7 %,3\n",
            "line 2, column 'b': '5 %' has a unit; write the number alone. --ignore b",
        ),
        ("a,x,y\n1,r,p\n2,s,q\n", "line 2, column 'x': text, such as 'r', 's'"),
        ("a,y\n1,red\n2,\n", "line 3, column 'y': the cell is empty"),
    ],
)
def test_errors_name_line_column_and_fix(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(DataError, match=r"t\.csv(, | )" + says):
        table_of(tmp_path, content)


def test_columns_that_are_ignored_may_hold_anything(tmp_path: Path) -> None:
    content = b"id,a,b,y\nx\xe9,1,,2\n,3,Rome,4\n"
    table = table_of(tmp_path, content, ignore=["id", 2])
    assert (table.names, table.features.tolist(), table.labels.tolist()) == (("a",), [[1], [3]], [2, 4])
    assert table_of(tmp_path, "a,b,y\n1,2,3\n", ignore=-1).label_name == "b"
    for wrong, says in (
        ({"ignore": "z"}, "no column 'z'"),
        ({"ignore": [0, 1, 2]}, "only one value besides the 3 ignored"),
        ({"ignore": "y", "label": "y"}, "ignored and the label at once"),
        ({"one_hot": "y"}, "column 'y' cannot be one-hot: it is the label"),
    ):
        with pytest.raises(DataError, match=says):
            table_of(tmp_path, "a,b,y\n1,2,3\n", **wrong)


def test_one_hot(tmp_path: Path) -> None:
    content = "town,a,zip,y\nRome,1,10,5\nParis,2,20,6\nRome,3,10,7\n"
    table = table_of(tmp_path, content, one_hot=["zip", "town"])
    assert table.names == ("town=Paris", "town=Rome", "a", "zip=10", "zip=20")
    assert table.features.tolist() == [[0, 1, 1, 1, 0], [1, 0, 2, 0, 1], [0, 1, 3, 1, 0]]
    assert table.categories == {"town": ("Paris", "Rome"), "zip": ("10", "20")}
    assert table_of(tmp_path, content, one_hot="all").names == ("town=Paris", "town=Rome", "a", "zip")
    many = "a,y\n" + "".join(f"v{i},1\n" for i in range(1001))
    with pytest.raises(DataError, match=r"column 'a' has 1,001 different values, such as 'v0'.*--ignore a"):
        table_of(tmp_path, many, one_hot="a")


@pytest.mark.parametrize(
    ("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_compressed_text(tmp_path: Path, suffix: str, pack: Any) -> None:
    for name, content in (("t.csv", "a,b\n1,2\n"), ("t.libsvm", "2 1:1\n"), ("t", "2 1:1\n")):
        table = table_of(tmp_path, pack(content.encode()), f"{name}.{suffix}")
        assert (table.features.tolist(), table.labels.tolist()) == ([[1]], [2])
    with pytest.raises(DataError, match=rf"t\.csv\.{suffix} cannot be read"):
        table_of(tmp_path, pack(b"a,b\n" + b"1,2\n" * 9)[:-5], f"t.csv.{suffix}")


def test_formats_are_recognised_by_their_first_bytes(tmp_path: Path) -> None:
    assert table_of(tmp_path, "+1 1:0.5 3:-2\n-1 2:1\n", "heart_scale").features.tolist() == [
        [0.5, 0, -2],
        [0, 1, 0],
    ]
    assert table_of(tmp_path, "1 2\n3 4\n", "data").labels.tolist() == [2, 4]
    np.save(tmp_path / "t.npy", np.eye(3))
    assert table_of(tmp_path, (tmp_path / "t.npy").read_bytes(), "array").features.shape == (3, 2)
    assert table_of(tmp_path, "1 2:7\n", "t.txt", format="libsvm").features.tolist() == [[0, 7]]
    with pytest.raises(DataError, match="there is no format 'xlsx'; formats: csv, libsvm, npy"):
        table_of(tmp_path, "1,2\n", format="xlsx")
    for words in ({"header": True}, {"one_hot": 0}):
        with pytest.raises(DataError, match="holds numbers alone, without a header; leave out --"):
            table_of(tmp_path, "1 2:7\n", "t.libsvm", **words)


@pytest.mark.parametrize(
    ("fields", "values", "kind"),
    [
        ("1:20180131", [20180131], np.float64),
        ("1:1700000001 2:0.5", [1700000001, 0.5], np.float64),
        ("1:1e39", [1e39], np.float64),
        ("1:0.1", [0.1], np.float64),
        ("1:0.5 2:3", [0.5, 3], np.float32),
    ],
)
def test_libsvm_is_exact(tmp_path: Path, fields: str, values: Sequence[float], kind: type) -> None:
    table = table_of(tmp_path, f"1 {fields}\n", "t.libsvm")
    np.testing.assert_array_equal(table.features[:], np.array([values], dtype=kind), strict=True)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (k, k) for k in range(20_000))
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    table = load(fifo)
    writer.join()
    np.testing.assert_array_equal(table.labels, np.arange(20_000))
    writer = threading.Thread(target=fifo.write_bytes, args=(b"",))
    writer.start()
    with pytest.raises(DataError, match="pipe is empty; data are needed"):
        load(fifo)
    writer.join()


def test_what_was_read_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zipsgd")
    table_of(tmp_path, ",a,y\n" + "1,2,3\n" * 2000)
    table_of(tmp_path, "1,2,3\n")
    table_of(tmp_path, "1 1:2\n", "t.libsvm")
    said = [record.getMessage().removeprefix(str(tmp_path)) for record in caplog.records]
    assert said == [
        "/t.csv: 2,000 rows of 2 features, label 'y'; header: yes (Unnamed: 0, a, y)",
        "/t.csv: the first column has no name; if it only counts rows: --ignore 'Unnamed: 0'".replace(
            "/t.csv", "/t.csv"
        ),
        "/t.csv: 1 rows of 2 features, label 'column 2'; header: no",
        "/t.libsvm: 1 rows of 1 features, label 'label'",
    ]


@pytest.mark.parametrize("kind", KINDS)
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=75, suppress_health_check=list(HealthCheck))
def test_random_files_give_what_other_libraries_read(tmp_path: Path, kind: str, random: Random) -> None:
    case = draw(random, kind)
    assert check(case, tmp_path) == ""


def test_a_wrong_value_and_a_wrong_message_are_found(tmp_path: Path) -> None:
    """The check can fail."""
    case = next(case for seed in range(99) if (case := draw(Random(seed), "csv")).expected is not None)
    assert case.expected is not None
    assert check(case, tmp_path) == ""
    assert " instead of " in check(replace(case, expected=case.expected + 1), tmp_path)
    assert "read, but broken" in check(replace(case, expected=None), tmp_path)
    assert "refused" in check(replace(case, content=b"a,b\n1,x\n2,3\n"), tmp_path)
    assert "does not match" in check(
        replace(case, expected=None, says="line 9", content=b"a,b\n1,x\n2,3\n"), tmp_path
    )
