"""A piecewise function on its domain: its spans, their ends, and how they meet."""
