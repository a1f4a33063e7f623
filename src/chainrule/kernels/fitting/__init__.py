"""Polynomials in place of a function where its formula loses digits."""
