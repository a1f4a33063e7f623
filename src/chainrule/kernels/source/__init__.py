"""Python source of generated functions: written, marked with its nodes, read back, run by hand."""
