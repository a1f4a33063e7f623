"""The derivative through the output: found by elimination or composition, or excluded."""
