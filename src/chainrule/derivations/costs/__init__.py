"""Costs: their derivative by the output, and behind an output activation."""
