"""Boards: what is built for each, the glue to its pins and clock, and the build. Vendor primitives are used only here."""

from .board import Board
from .build import BuildFailed, build_board
from .catalogue import BOARDS
from .prediction import predict_epoch

__all__ = ["BOARDS", "Board", "BuildFailed", "build_board", "predict_epoch"]
