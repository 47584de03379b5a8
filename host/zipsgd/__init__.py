"""zipsgd: any-precision SGD for linear models on open FPGAs, driven from Python."""

__version__ = "0.1.0"
