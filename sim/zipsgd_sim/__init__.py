"""The virtual board: Verilated gateware in a process that serves the link."""
