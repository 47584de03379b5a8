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
