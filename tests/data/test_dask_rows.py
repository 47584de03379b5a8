"""Arrays and data frames of Dask, as any other ones."""

import pickle

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask import delayed

from zipsgd import train
from zipsgd.data import DataError, as_features, as_table
from zipsgd.data.dask_rows import ChunkRows

VALUES = np.random.default_rng(1).normal(size=(1000, 6))
Y = VALUES @ np.arange(6.0)


def test_rows_are_those_of_the_array() -> None:
    rows, names = as_features(da.from_array(VALUES, chunks=(170, 4)), "X")
    assert rows.shape == (1000, 6)
    assert len(names) == 6
    index = np.random.default_rng(2).permutation(1000)[:300]
    for found in (rows, pickle.loads(pickle.dumps(rows))):
        assert np.array_equal(found[index], VALUES[index])
        assert np.array_equal(found[10:700:7], VALUES[10:700:7])
    assert np.array_equal(rows.select_columns([4, 1])[:], VALUES[:, [4, 1]])


def test_chunks_are_computed_when_they_are_needed() -> None:
    asked = []

    def part(number: int) -> np.ndarray:
        asked.append(number)
        return VALUES[number * 100 : number * 100 + 100]

    parts = [da.from_delayed(delayed(part)(number), (100, 6), float) for number in range(10)]
    rows = ChunkRows(da.concatenate(parts), "X")
    assert asked == []
    assert np.array_equal(rows[np.array([250, 205, 730])], VALUES[[250, 205, 730]])
    assert sorted(asked) == [2, 7]


def test_training_gives_the_same_bits() -> None:
    wanted = train(VALUES, Y, epochs=2)
    found = train(da.from_array(VALUES, chunks=(300, 6)), da.from_array(Y, chunks=400), epochs=2)
    assert found.model_words == wanted.model_words


def test_sizes_that_are_not_known_are_computed() -> None:
    some = da.from_array(VALUES, chunks=(300, 6))
    table = as_table(some[some[:, 0] > 0], Y[VALUES[:, 0] > 0])
    assert np.array_equal(table.features[:], VALUES[VALUES[:, 0] > 0])


def test_a_data_frame_keeps_its_names() -> None:
    frame = pd.DataFrame(VALUES, columns=list("abcdef"))
    table = as_table(
        dd.from_pandas(frame, npartitions=3), dd.from_pandas(pd.Series(Y, name="price"), npartitions=2)
    )
    assert table.names == tuple("abcdef")
    assert table.label_name == "price"
    assert np.array_equal(table.features[:], VALUES)
    assert np.array_equal(table.labels, Y)


def test_errors() -> None:
    with pytest.raises(DataError, match="1 dimensions of float64"):
        as_features(da.from_array(Y), "X")
    with pytest.raises(DataError, match="real numbers"):
        as_features(da.from_array(np.array([["a", "b"]])), "X")
