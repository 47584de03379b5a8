"""scikit-learn's own checks, all of them."""

import os
import subprocess
import sys
from unittest import SkipTest

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from zipsgd.estimators import ZipClassifier, ZipRegressor

ESTIMATORS = [
    ZipRegressor(),
    ZipClassifier(),
    ZipClassifier(
        loss="squared_error", penalty="l2", base_bits=3, levels="optimal", schedule="sqrt", average=True
    ),
    ZipRegressor(loss="huber"),
    ZipClassifier(loss="logistic"),
]
# Fewest checks of an estimator: a tag that skips some must not go unseen
FEWEST = {"ZipRegressor": 55, "ZipClassifier": 58}


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"skipped: {skipped}")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_check_is_left_out(estimator):
    assert len(list(estimator_checks_generator(estimator))) >= FEWEST[type(estimator).__name__]


def test_without_scikit_learn_the_error_names_the_extra(tmp_path):
    (tmp_path / "sklearn.py").write_text("raise ModuleNotFoundError('No module', name='sklearn')\n")
    program = "import zipsgd\nzipsgd.Options()\nimport zipsgd.estimators"
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "zipsgd.extras.MissingExtra: an estimator needs scikit-learn, which is not installed: pip install 'zipsgd[sklearn]'"
    )


@pytest.mark.parametrize("estimator", [ZipRegressor, ZipClassifier])
def test_every_parameter_is_documented(estimator):
    for name in estimator().get_params():
        assert f"\n    {name} : " in estimator.__doc__
