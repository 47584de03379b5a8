"""What tests of the driver share."""

import pytest
from served_board import TOKEN


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of served boards is in the environment."""
    monkeypatch.setenv("ZIPSGD_TOKEN", TOKEN)
