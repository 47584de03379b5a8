"""Gateware of the zipsgd accelerator, in Amaranth."""
