"""The equations of a network's propagation, as they are printed."""
