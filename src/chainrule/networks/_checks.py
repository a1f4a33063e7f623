"""Numbers that people give to training."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.networks._errors import NetworkError


def check_count(name: str, value: Any) -> None:
    """Refuse what is no whole number of at least 1."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise NetworkError(f"{name} must be a whole number of at least 1, got {value!r:.60}")


def check_number(name: str, value: Any) -> None:
    """Refuse what is no number of at least 0."""
    is_number = isinstance(value, int | float | np.integer | np.floating)
    if not is_number or isinstance(value, bool) or not value >= 0:
        raise NetworkError(f"{name} must be a number of at least 0, got {value!r:.60}")
