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
    """Check the outcome of bad input: status 2, nothing on standard output, one line that says so, after what was read."""

    def check(result, *says):
        status, out, err = result
        assert status == 2
        assert out == ""
        *before, said = err.splitlines()
        assert said.startswith("zipsgd: ")
        assert len(before) <= 1
        assert all(" rows of " in line for line in before)
        for part in says:
            assert part in err

    return check
