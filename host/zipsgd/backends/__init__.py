"""What can carry out a training run: golden model, emulator, virtual board, or a board on a port. All give the same bits."""

from .base import Backend, EpochResult, EpochSamples, RunConfig
from .choose import BACKENDS, open_backend

__all__ = ["BACKENDS", "Backend", "EpochResult", "EpochSamples", "RunConfig", "open_backend"]
