"""Derivatives by the parameters."""
