"""Formulas cut at their kinks: pieces, periods, places at which branches meet or are filled."""
