"""Boards: what is built for each, the glue to its pins and clock, and the build. Vendor primitives stand only here."""

from .build import BuildFailed, build_board
from .prediction import predict_epoch
from .table import BOARDS, Board

__all__ = ["BOARDS", "Board", "BuildFailed", "build_board", "predict_epoch"]
