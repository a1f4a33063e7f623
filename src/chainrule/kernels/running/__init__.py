"""Compiled code over arrays: memory by address, loops over any layout, workers of large calls."""
