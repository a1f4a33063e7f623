"""The portrait of a function that couples the units of a layer."""
