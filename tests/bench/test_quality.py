"""The bench's own arithmetic, on a set of a few rows."""

import numpy as np
from sklearn.linear_model import RidgeClassifier, SGDClassifier

from zipsgd.estimators import ZipClassifier
from zipsgd_bench.quality import EXACT, Contest, contest


def split():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3))
    classes = features[:, 0] > 0
    return features[:150], classes[:150], features[150:], classes[150:]


def row(held_rows):
    contestants = {
        "zipsgd": (ZipClassifier(random_state=0), {"max_iter": [1, 5]}),
        "SGDClassifier": (SGDClassifier(random_state=0), {"alpha": [1e-4]}),
        "lazy": (SGDClassifier(random_state=0, penalty="l1", alpha=1e6), {}),
        EXACT: (RidgeClassifier(), {}),
    }
    begun = []
    found = contest(Contest("small", "accuracy", [split, split], contestants, held_rows), begun.append)
    assert begun == [f"small: {name}" for name in contestants]
    return found


def test_a_row_says_how_far_ours_is_from_the_best_of_the_others():
    for held_rows in (None, 50):
        found = row(held_rows)
        assert found["best other"] == "SGDClassifier"
        assert found["its score"] > 90
        assert found["below it"] == found["its score"] - found["zipsgd"]
        assert found["below that"] == found[EXACT] - found["zipsgd"]
        assert found["met"] == (found["below it"] <= 0.5)
        assert [len(each["scores"]) for each in found["all"].values()] == [2] * 4
        assert found["all"]["lazy"]["mean"] < 70
