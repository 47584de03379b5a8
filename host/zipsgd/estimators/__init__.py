"""scikit-learn estimators that train on the accelerator, or on its emulator: :class:`ZipRegressor`, :class:`ZipClassifier`.

from zipsgd.estimators import ZipClassifier

ZipClassifier(base_bits=2, random_state=0).fit(X, y).score(X_test, y_test)
"""

from importlib import import_module

try:
    import_module("sklearn")
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ModuleNotFoundError(
        "the estimators need scikit-learn, which is not installed: pip install 'zipsgd[sklearn]'",
        name=error.name,
    ) from None

from .classifier import ZipClassifier
from .regressor import ZipRegressor

__all__ = ["ZipClassifier", "ZipRegressor"]
