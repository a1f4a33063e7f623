"""Which names a parameter may have."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def is_parameter_name(name: str) -> bool:
    """Tell whether a name is a letter, then letters, digits and single underscores.

    Names reach generated source; nothing but a plain identifier may pass.
    """
    return bool(_NAME.fullmatch(name)) and "__" not in name
