"""Workers of Dask and a small set, for the tests of shards."""

import logging
from collections.abc import Iterator
from concurrent.futures import Executor

import pytest

from zipsgd import load
from zipsgd.data import Table
from zipsgd.distributed import cluster


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with cluster(workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def table() -> Table:
    return load("synthetic10")
