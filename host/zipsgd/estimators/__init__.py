"""scikit-learn estimators that train on the accelerator, or on its emulator: :class:`ZipRegressor`, :class:`ZipClassifier`.

from zipsgd.estimators import ZipClassifier

ZipClassifier(base_bits=2, random_state=0).fit(X, y).score(X_test, y_test)
"""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ModuleNotFoundError(
        "the estimators need scikit-learn, which is not installed: pip install 'zipsgd[sklearn]'",
        name="sklearn",
    )

from .classifier import ZipClassifier
from .regressor import ZipRegressor

__all__ = ["ZipClassifier", "ZipRegressor"]
