"""Backends, which carry out training runs: golden model, emulator, virtual board, or a board. All give the same bits."""

from zipsgd.golden.run import LimitError, RunConfig

from .base import Backend, EpochResult, EpochSamples, Stored
from .builds import build_for, load_build, most_features, with_store
from .choose import BACKENDS, BackendOptions, is_port, open_backend
from .distributed import Distributed

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendOptions",
    "Distributed",
    "EpochResult",
    "EpochSamples",
    "LimitError",
    "RunConfig",
    "Stored",
    "build_for",
    "is_port",
    "load_build",
    "most_features",
    "open_backend",
    "with_store",
]
