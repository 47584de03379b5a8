"""Training: from a table to a model in the data's own units."""

from .epochs import EpochReport
from .train import LEVELS, Options, Result, Task, about_run, float_sgd, prepare, step_sizes, train

__all__ = [
    "LEVELS",
    "EpochReport",
    "Options",
    "Result",
    "Task",
    "about_run",
    "float_sgd",
    "prepare",
    "step_sizes",
    "train",
]
