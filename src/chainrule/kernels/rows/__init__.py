"""Source of kernels over the rows of a batch."""
