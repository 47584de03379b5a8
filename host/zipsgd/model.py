"""A trained model in the data's own units, and what it took to train it."""

import json
import math
import sys
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError
from zipsgd.rows import Rows, walk

__all__ = ["Result", "load_model"]

_FORMAT = "zipsgd model 1"


@dataclass
class Result:
    """A trained model.

    ``loss``: per epoch, mean squared residual while training, in the label's scaled units. ``final_loss``: the same of the
    final model on the unquantised set. ``coef`` and ``intercept``: in the data's units. ``model_words``: the device's integers,
    the intercept's last. ``bits_per_value``: streamed. ``flags``: places where values were saturated. ``cycles``,
    ``plane_cycles``, ``starved_cycles``, ``sample_bytes``, ``link_bytes``: of all epochs, None where there are none, see
    :class:`zipsgd.backends.EpochResult`. ``seconds``: of all epochs, on this computer. ``step_sizes``: of each epoch, as the
    device rounded them. ``columns`` and ``label``: their names.
    """

    loss: list[float]
    final_loss: float
    coef: list[float]
    intercept: float
    model_words: list[int]
    bits_per_value: int
    flags: list[str]
    cycles: int | None
    plane_cycles: int | None
    starved_cycles: int | None
    sample_bytes: int | None
    link_bytes: int | None
    rows: int
    seconds: float
    step_sizes: list[float]
    columns: list[str]
    label: str
    backend: str
    build: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def predict(self, features: Rows) -> npt.NDArray[np.float64]:
        """Predictions in the data's units, shape (rows,), for features of shape (rows, columns)."""
        if len(features.shape) != 2 or features.shape[1] != len(self.coef):
            raise DataError(
                f"the model takes {len(self.coef)} columns, and the data have shape {features.shape}"
            )
        predicted = np.empty(features.shape[0])
        for part, block in walk(features):
            predicted[part] = block @ np.array(self.coef) + self.intercept
        return predicted

    def score(self, features: Rows, labels: npt.NDArray[np.floating]) -> float:
        """The share of the labels' variance that the model explains, R2; NaN where they do not vary."""
        spread = float(np.var(labels))
        error = float(np.mean((self.predict(features) - labels) ** 2))
        return 1 - error / spread if spread else math.nan

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON: data only, nothing in it runs."""
        Path(path).write_text(json.dumps({"format": _FORMAT, **self.as_dict()}, indent=1) + "\n")


def _number(value: object) -> bool:
    """Whether it is a finite number that a float64 can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def load_model(path: str | Path) -> Result:
    """A model that :meth:`Result.save` wrote. Raises :class:`DataError` for anything else."""
    try:
        content = json.loads(Path(path).read_text())
        if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
            raise ValueError(f"it does not say that it is a {_FORMAT!r}")
        missing = [f.name for f in fields(Result) if f.default_factory is MISSING and f.name not in content]
        if missing:
            raise ValueError(f"it has no {', '.join(missing)}")
        result = Result(**{f.name: content[f.name] for f in fields(Result) if f.name in content})
        if not isinstance(result.coef, list) or not all(map(_number, [*result.coef, result.intercept])):
            raise ValueError("its coefficients are not numbers")
        if not isinstance(result.columns, list) or len(result.columns) != len(result.coef):
            raise ValueError("it does not name a column for each coefficient")
    except FileNotFoundError:
        raise DataError(f"no model file {path}; 'zipsgd train --save' writes one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no model of 'zipsgd train --save': {error}") from None
    return result
