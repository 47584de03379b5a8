"""Saved models."""

import json
from pathlib import Path

from zipsgd.data import DataError

from .result import ClassifierResult, RegressionResult, Result

__all__ = ["load_model"]


_KINDS: tuple[type[Result], ...] = (RegressionResult, ClassifierResult)


def load_model(path: str | Path) -> Result:
    """Load a model that :meth:`Result.save` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    RegressionResult or ClassifierResult
        The model.

    Raises
    ------
    DataError
        There is no such file, or it is not a saved model.
    """
    try:
        content = json.loads(Path(path).read_text())
        said = content.pop("format", None) if isinstance(content, dict) else None
        kind = next((kind for kind in _KINDS if said == kind.FORMAT), None)
        if kind is None:
            raise ValueError(
                f"it does not say that it is a {' or a '.join(repr(kind.FORMAT) for kind in _KINDS)}"
            )
        return kind.from_dict(content)
    except FileNotFoundError:
        raise DataError(f"no model file {path}; 'zipsgd train --save' writes one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no model of 'zipsgd train --save': {error}") from None
