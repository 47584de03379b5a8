"""The optional parts of the package, and what to say where one is not installed. It needs only the standard library."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

__all__ = [
    "MissingExtra",
    "distribution_of",
    "explained",
    "extra",
    "extras",
    "installation",
    "need",
    "requirements",
]

_DISTRIBUTIONS = {"sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow", "luna": "luna-usb"}
"""Distributions whose name is not that of their module."""
_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:;.*extra == ['\"]([\w-]+)['\"])?")


class MissingExtra(ModuleNotFoundError):
    """An optional package is not installed; the message names the command that installs it."""


def distribution_of(module: str) -> str:
    """The name of the distribution that a module comes from, such as "scikit-learn" for "sklearn.base"."""
    top = module.partition(".")[0]
    return _DISTRIBUTIONS.get(top, top.replace("_", "-")).lower()


@cache
def requirements() -> dict[str, tuple[str, ...]]:
    """What each extra requires, as the metadata of the installed package say.

    Returns
    -------
    dict of str to tuple of str
        Names of distributions by extra, with those of the extras that it includes; by "" those that are always required. Empty
        if zipsgd is not installed.
    """
    try:
        lines = requires("zipsgd") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is not None:
            found.setdefault(match[2] or "", []).append(match[1].lower())
    return {of: tuple(names) for of, names in found.items()}


def extras(distribution: str) -> list[str]:
    """The extras that name a distribution themselves, the smallest first; [""] if it is always required.

    Parameters
    ----------
    distribution : str
        Name of the distribution, such as "matplotlib".

    Returns
    -------
    list of str
        Names of extras.
    """
    naming = [of for of, names in requirements().items() if distribution in names]
    return [""] if "" in naming else sorted(naming, key=lambda of: len(requirements()[of]))


def installation(extra: str) -> str:
    """The command that installs an extra; "" for the package itself."""
    return f"pip install 'zipsgd[{extra}]'" if extra else "pip install zipsgd"


def _missing(purpose: str, module: str, extra: str) -> MissingExtra:
    """The error for a module that cannot be imported. Its message has one line."""
    missing = distribution_of(module)
    return MissingExtra(
        f"{purpose} needs {missing}, which is not installed: {installation(extra)}", name=module
    )


def need(name: str, purpose: str, module: str) -> None:
    """Check that an optional package is installed, without importing it.

    Parameters
    ----------
    name : str
        The extra that contains it.
    purpose : str
        What needs it, such as "a figure".
    module : str
        Name of the module.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        found = find_spec(module) is not None
    except ValueError:  # it was imported in an unusual way, or its import is blocked
        found = False
    if not found:
        raise _missing(purpose, module, name)


@contextmanager
def extra(name: str, purpose: str) -> Iterator[None]:
    """A context for imports of optional packages. If one is missing, the error says how to install it.

    Parameters
    ----------
    name : str
        The extra that contains them.
    purpose : str
        What needs them, such as "the virtual board".

    Yields
    ------
    None

    Raises
    ------
    MissingExtra
        A module is not installed.
    """
    try:
        yield
    except MissingExtra:
        raise
    except ModuleNotFoundError as error:
        raise _missing(purpose, error.name or "a module", name) from None


def explained(error: ModuleNotFoundError) -> str:
    """What to tell a user of a module that was not found, wherever that was.

    Parameters
    ----------
    error : ModuleNotFoundError
        The error.

    Returns
    -------
    str
        Its message; with the command that installs the module, if the module belongs to this package's requirements.
    """
    if isinstance(error, MissingExtra) or error.name is None:
        return str(error)
    found = extras(distribution_of(error.name))
    return str(_missing("this command", error.name, found[0])) if found else str(error)
