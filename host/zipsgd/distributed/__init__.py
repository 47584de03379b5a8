"""Training by several workers or boards, with bits that do not depend on their number (``docs/shards.md``)."""

from .api import train
from .clusters import Cluster, cluster
from .rounds import RoundFailed
from .shards import suitable_shards
from .workers import Workers

__all__ = ["Cluster", "RoundFailed", "Workers", "cluster", "suitable_shards", "train"]
