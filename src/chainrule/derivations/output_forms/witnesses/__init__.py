"""Layers with the same outputs and different Jacobians, sought and found in many digits."""
