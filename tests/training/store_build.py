"""What tests of samples in a store share: a build, whose virtual board is compiled once for all of them."""

from zipsgd.protocol.formats import Build

__all__ = ["BUILD"]

BUILD = Build(
    lanes=8,
    update_lanes=4,
    max_features=64,
    diagonal=1,
    heads=4,
    hinge=1,
    word_bytes=2,
    store_words=1 << 10,
    schedule_words=64,
    score_words=128,
)
