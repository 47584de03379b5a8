"""What tests of samples in a store share."""

import logging
from collections.abc import Iterator

import pytest
from store_build import BUILD

from zipsgd_sim.board import VirtualBoard


@pytest.fixture(scope="module")
def store_board() -> Iterator[VirtualBoard]:
    with VirtualBoard(BUILD, optimise=1) as served:
        yield served


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "zipsgd")
    return caplog
