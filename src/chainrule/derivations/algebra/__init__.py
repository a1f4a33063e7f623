"""Expressions built, handed to SymPy and back, and written shortly."""
