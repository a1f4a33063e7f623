"""Bounds of a function over intervals of doubles, and the signs that they prove."""
