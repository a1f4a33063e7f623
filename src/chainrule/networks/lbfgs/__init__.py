"""Training with L-BFGS."""
