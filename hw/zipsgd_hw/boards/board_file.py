"""Boards by name: those of the catalogue, and those of users' own files."""

import os
import sys
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from .board import Board
from .catalogue import BOARDS, by_name

__all__ = ["find_board", "load_board"]


def find_board(name: str) -> Board:
    """Find a board by its name, or by the file that defines it.

    Parameters
    ----------
    name : str
        A name of :data:`.BOARDS`; or the path of a file, see :func:`load_board`: it ends in ``.py``, or has a separator.

    Returns
    -------
    Board
        The board.

    Raises
    ------
    ValueError
        There is no such board, or the file does not define one.
    """
    if name in BOARDS:
        return BOARDS[name]
    if name.endswith(".py") or os.sep in name:
        return load_board(Path(name))
    raise ValueError(
        f"no board {name!r}; boards: {', '.join(BOARDS)}; or name a file of your own, which ends in .py"
    )


def load_board(path: Path) -> Board:
    """Load a board from a Python file, which is run.

    Parameters
    ----------
    path : Path
        A file that defines ``BOARD``, or a single :class:`.Board` of any name.

    Returns
    -------
    Board
        The board.

    Raises
    ------
    ValueError
        There is no such file, it raises an error, it does not define one board, or the board has the name of another one. The
        message names the file and, where there is one, the line.
    """
    if not path.is_file():
        wrong = f"{path} is a folder" if path.is_dir() else f"there is no file {path}"
        raise ValueError(f"{wrong}: name a file that defines a board")
    board = _board_in(_run(path), path)
    try:
        by_name([*BOARDS.values(), board])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return board


def _run(path: Path) -> ModuleType:
    """The file as a module. While it runs, Python knows it by its path, so that it takes the name of no other module."""
    module = ModuleType(str(path.resolve()))
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look for their module there
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise ValueError(_explained(error, path)) from None
    finally:
        del sys.modules[module.__name__]
    return module


def _explained(error: BaseException, path: Path) -> str:
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    what: object = error
    if isinstance(error, SyntaxError):
        what = error.msg
        lines += [error.lineno] if error.filename == str(path) else []
    where = f"{path}, line {lines[-1]}" if lines else path
    return f"{where}: {type(error).__name__}: {what}; correct the file"


def _board_in(module: ModuleType, path: Path) -> Board:
    said = getattr(module, "BOARD", None)
    if isinstance(said, Board):
        return said
    if said is not None:
        raise ValueError(f"{path}: BOARD must be a Board, not {said!r}")
    found = {id(value): value for value in vars(module).values() if isinstance(value, Board)}
    if len(found) == 1:
        return found.popitem()[1]
    names = ", ".join(board.name for board in found.values())
    what = f"several boards ({names})" if found else "no board"
    raise ValueError(f"{path} defines {what}: write BOARD = Board(...) for the one to build")
