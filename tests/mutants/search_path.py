"""Importing this module adds pytest's search path, so that scripts can import what the tests import."""

import sys
import tomllib
from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).resolve().parents[2]

_settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
sys.path += [
    folder for folder in (str(ROOT / part) for part in _settings["pythonpath"]) if folder not in sys.path
]
