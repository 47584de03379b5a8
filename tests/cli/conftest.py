"""What tests of the command line share."""

import pytest

from zipsgd.cli import main


@pytest.fixture
def run(capsys):
    """Run a command line; its status, standard output and standard error."""

    def call(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def refused():
    """Check the outcome of bad input: status 2, nothing on standard output, one line that says so."""

    def check(result, *says):
        status, out, err = result
        assert status == 2
        assert out == ""
        assert err.startswith("zipsgd: ")
        assert err.count("\n") == 1
        for part in says:
            assert part in err

    return check
