"""What a layer does to mean and variance: moments, gain, fixed points."""
