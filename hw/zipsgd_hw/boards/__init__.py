"""Boards: what is built for each, the glue to its pins and clock, and the build. Vendor primitives are used only here."""

from .board import Board
from .build import BuildFailed, build_board, changed_build, stock_report
from .catalogue import BOARDS
from .prediction import predict_epoch

__all__ = ["BOARDS", "Board", "BuildFailed", "build_board", "changed_build", "predict_epoch", "stock_report"]
