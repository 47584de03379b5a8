"""zipsgd: any-precision SGD for linear models on open FPGAs, driven from Python.

    import zipsgd

    table = zipsgd.load("cadata")
    result = zipsgd.train(table, base_bits=2, backend="sim")
    result.save("model.json")

Each name is imported when it is first used, so that ``import zipsgd`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .cache import replace_unwritable_cache

if TYPE_CHECKING:
    from zipsgd.backends import BACKENDS, BackendOptions, build_for, load_build, open_backend
    from zipsgd.data import SETS, DataError, Scaling, Table, load, load_rows
    from zipsgd.driver import Device, DeviceError
    from zipsgd.golden.run import LimitError, RunConfig
    from zipsgd.protocol.formats import Build, BuildError
    from zipsgd.training.api import train
    from zipsgd.training.callbacks import Callback, CsvLog, StopTraining, TensorBoardLog
    from zipsgd.training.comparison import Comparison, compare, save_report, summary
    from zipsgd.training.epochs import EpochReport
    from zipsgd.training.full_precision import float_sgd
    from zipsgd.training.guard import ConvergenceWarning, Finding
    from zipsgd.training.losses import CompiledLoss, compile_loss
    from zipsgd.training.model_file import load_model
    from zipsgd.training.options import Options
    from zipsgd.training.plots import plot
    from zipsgd.training.prediction import Prediction, predict
    from zipsgd.training.preparation import prepare
    from zipsgd.training.result import ClassifierResult, RegressionResult, Result
    from zipsgd.training.sweep import Sweep, sweep
    from zipsgd.training.task import Task
    from zipsgd.training.verification import Verification, verify

__version__ = "0.1.0"

replace_unwritable_cache()  # before Numba and the tools look for theirs

__all__ = [
    "BACKENDS",
    "SETS",
    "BackendOptions",
    "Build",
    "BuildError",
    "Callback",
    "ClassifierResult",
    "Comparison",
    "CompiledLoss",
    "ConvergenceWarning",
    "CsvLog",
    "DataError",
    "Device",
    "DeviceError",
    "EpochReport",
    "Finding",
    "LimitError",
    "Options",
    "Prediction",
    "RegressionResult",
    "Result",
    "RunConfig",
    "Scaling",
    "StopTraining",
    "Sweep",
    "Table",
    "Task",
    "TensorBoardLog",
    "Verification",
    "build_for",
    "compare",
    "compile_loss",
    "float_sgd",
    "load",
    "load_build",
    "load_model",
    "load_rows",
    "open_backend",
    "plot",
    "predict",
    "prepare",
    "save_report",
    "summary",
    "sweep",
    "train",
    "verify",
]

_MODULES = {
    "backends": ("BACKENDS", "BackendOptions", "build_for", "load_build", "open_backend"),
    "data": ("SETS", "DataError", "Scaling", "Table", "load", "load_rows"),
    "driver": ("Device", "DeviceError"),
    "golden.run": ("LimitError", "RunConfig"),
    "protocol.formats": ("Build", "BuildError"),
    "training.api": ("train",),
    "training.callbacks": ("Callback", "CsvLog", "StopTraining", "TensorBoardLog"),
    "training.comparison": ("Comparison", "compare", "save_report", "summary"),
    "training.epochs": ("EpochReport",),
    "training.full_precision": ("float_sgd",),
    "training.guard": ("ConvergenceWarning", "Finding"),
    "training.losses": ("CompiledLoss", "compile_loss"),
    "training.options": ("Options",),
    "training.plots": ("plot",),
    "training.model_file": ("load_model",),
    "training.prediction": ("Prediction", "predict"),
    "training.result": ("ClassifierResult", "RegressionResult", "Result"),
    "training.sweep": ("Sweep", "sweep"),
    "training.preparation": ("prepare",),
    "training.task": ("Task",),
    "training.verification": ("Verification", "verify"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
