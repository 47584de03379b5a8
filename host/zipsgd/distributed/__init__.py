"""Training by several workers or boards, with bits that do not depend on their number (``docs/shards.md``)."""

from .api import train
from .clusters import cluster
from .rounds import RoundFailed
from .workers import Workers

__all__ = ["RoundFailed", "Workers", "cluster", "train"]
