"""Gateware of the store: memories that keep the samples on the device."""
