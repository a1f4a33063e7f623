"""Towards infinity and poles: series with bounded remainders, limits and signs."""
