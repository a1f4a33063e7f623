"""What is computed instead of a formula: equal over the real numbers, and stable."""
