"""Measurements beside peers: each library in a process of its own, taking turns."""
