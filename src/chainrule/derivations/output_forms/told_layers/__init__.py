"""Layers whose output tells their derivative, whether a formula says so or not."""
