"""Boards: what is built for each, the glue to its pins and clock, and the build. Vendor primitives are used only here."""

from .board import Board
from .board_file import find_board
from .build import BuildFailed, build_board, changed_build
from .build_report import stock_report
from .catalogue import BOARDS
from .loaders import FUJPROG, ICEPROG, Loader, Programming, openfpgaloader
from .placement import BUDGET_MINUTES, SeedSearch
from .prediction import predict_epoch

__all__ = [
    "BOARDS",
    "BUDGET_MINUTES",
    "FUJPROG",
    "ICEPROG",
    "Board",
    "BuildFailed",
    "Loader",
    "Programming",
    "SeedSearch",
    "build_board",
    "changed_build",
    "find_board",
    "openfpgaloader",
    "predict_epoch",
    "stock_report",
]
