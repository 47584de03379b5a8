"""scikit-learn estimators that train on the accelerator, or on its emulator: :class:`ZipRegressor`, :class:`ZipClassifier`.

from zipsgd.estimators import ZipClassifier

ZipClassifier(bits=4, random_state=0).fit(X, y).score(X_test, y_test)
"""

from zipsgd.extras import extra

with extra("sklearn", "an estimator"):
    from .classifier import ZipClassifier
    from .regressor import ZipRegressor

__all__ = ["ZipClassifier", "ZipRegressor"]
