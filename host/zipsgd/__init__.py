"""zipsgd: any-precision SGD for linear models on open FPGAs, driven from Python.

    import zipsgd

    table = zipsgd.load("cadata")
    result = zipsgd.train(table, zipsgd.Options(base_bits=2, samples_per_value=2), backend="sim")
    result.save("model.json")

What the package offers is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zipsgd.backends import BACKENDS, build_for, load_build, open_backend
    from zipsgd.data import SETS, DataError, Scaling, Table, load, load_rows
    from zipsgd.driver import Device, DeviceError
    from zipsgd.model import ClassifierResult, Result, load_model
    from zipsgd.protocol.formats import Build, BuildError
    from zipsgd.training import EpochReport, Options, float_sgd, train
    from zipsgd.training.report import Comparison, compare, save_report, summary
    from zipsgd.training.verification import Verification, verify

__version__ = "0.1.0"

__all__ = [
    "BACKENDS",
    "SETS",
    "Build",
    "BuildError",
    "ClassifierResult",
    "Comparison",
    "DataError",
    "Device",
    "DeviceError",
    "EpochReport",
    "Options",
    "Result",
    "Scaling",
    "Table",
    "Verification",
    "build_for",
    "compare",
    "float_sgd",
    "load",
    "load_build",
    "load_model",
    "load_rows",
    "open_backend",
    "save_report",
    "summary",
    "train",
    "verify",
]

_MODULES = {
    "backends": ("BACKENDS", "build_for", "load_build", "open_backend"),
    "data": ("SETS", "DataError", "Scaling", "Table", "load", "load_rows"),
    "driver": ("Device", "DeviceError"),
    "model": ("ClassifierResult", "Result", "load_model"),
    "protocol.formats": ("Build", "BuildError"),
    "training.report": ("Comparison", "compare", "save_report", "summary"),
    "training": ("EpochReport", "Options", "float_sgd", "train"),
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
