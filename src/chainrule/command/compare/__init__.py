"""Activations compared by cross-validated scores: the runs, their state on disk, the report."""
