"""Verilog of the accelerator for designs of one's own: one file, plain names, documented ports."""

from .kinds import KINDS, Kind
from .text import PortLine, VerilogFile, port_table, verilog_file

__all__ = ["KINDS", "Kind", "PortLine", "VerilogFile", "port_table", "verilog_file"]
