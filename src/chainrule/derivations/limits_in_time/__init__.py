"""Bounds in time, in work of a usual machine; what was found is kept for the next time."""
