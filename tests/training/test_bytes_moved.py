"""The bytes of samples that move: one definition, counted on a link and computed where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from zipsgd import Options, Table, train
from zipsgd.backends import BackendOptions
from zipsgd.estimators import ZipClassifier
from zipsgd.training.comparison import summary

RNG = np.random.default_rng(5)
CLASSES = Table(RNG.normal(size=(60, 5)), RNG.integers(0, 3, 60).astype(float), tuple("abcde"), "t")
OPTIONS = Options(epochs=2, batch_size=8)


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        replace(OPTIONS, base_bits=3, estimator="naive"),
        replace(OPTIONS, classify=True, loss="squared_error"),
        replace(OPTIONS, average=1),
    ],
    ids=["numbers", "naive", "classes in turns", "average"],
)
def test_a_link_counts_what_the_formula_says(options, board):
    """On four lanes, where planes share bytes; three classes take a pass each on a build with one head."""
    counted = train(CLASSES, options=options, backend=board.url)
    assert counted.link_bytes > counted.sample_bytes > 0
    for name in ("emulator", "golden"):
        computed = train(CLASSES, options=options, backend=BackendOptions(name, board.build))
        assert computed.model_words == counted.model_words
        assert computed.sample_bytes == counted.sample_bytes
        assert summary(computed)[1] == summary(counted)[1]


@pytest.mark.parametrize("refetch", ["never", "certain"])
def test_samples_that_come_again_count(refetch):
    rows, labels = RNG.normal(size=(80, 12)), RNG.integers(0, 3, 80)
    found = [
        ZipClassifier(refetch=refetch, loss="hinge", max_iter=2, random_state=0, backend=name).fit(
            rows, labels
        )
        for name in ("emulator", "golden")
    ]
    bits = [[entry["bits"] for entry in each.history_] for each in found]
    assert bits[0] == bits[1]
    first = 80 * 8 * (1 + 4 * 2)  # one pass for all classes; 12 columns take two bytes a plane
    assert (
        all(each == first for each in bits[0])
        if refetch == "never"
        else all(each > first for each in bits[0])
    )


def test_california_housing_moves_what_is_said():
    """Eight columns: six bytes against 36 in float32."""
    table = Table(RNG.normal(size=(40, 8)), RNG.normal(size=40), tuple("abcdefgh"), "t")
    told = summary(train(table, options=OPTIONS))[1]
    assert (
        told == "4 bits a value: 6 bytes a row with labels and padding; float32 moves 36, 6.0 times as many"
    )


def test_outputs_have_a_label_each():
    table = Table(RNG.normal(size=(40, 8)), RNG.normal(size=(40, 2)), tuple("abcdefgh"), "t")
    result = train(table, options=OPTIONS)
    assert result.sample_bytes == 2 * 40 * (2 * 2 + 4)
    assert "8 bytes a row with labels and padding; float32 moves 40, 5.0 times" in summary(result)[1]
