"""The bench on data files, on a few of them, and with a reader that is wrong."""

import pytest

from zipsgd.data import DataError, Table
from zipsgd_bench import describe, files, random_files

FEW = dict.fromkeys(files.SHARES, 6)


def test_it_is_met_where_all_files_are_read_as_elsewhere() -> None:
    result = files.run(FEW)
    assert result["met"]
    assert [(row["files"], row["findings"]) for row in result["rows"]] == [(6, 0)] * 4
    assert sum(row["broken"] for row in result["rows"]) > 0
    assert "24 random files" in describe(result)
    assert not files.run({"csv": 3})["met"], "other formats are not tried"


def test_a_wrong_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object, **words: object) -> Table:
        if words["label"] == 0:
            raise DataError("no")
        return Table.from_arrays([[1.0, 2.0]], [3.0])

    monkeypatch.setattr(random_files, "load", wrong)
    result = files.run({"npy": 6})
    assert not result["met"]
    assert result["rows"][0]["findings"] == len(result["found"]) > 3
