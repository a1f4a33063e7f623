"""Proofs of signs: of an expression on a piece, between two places, and far out."""
