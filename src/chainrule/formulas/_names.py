"""Which names a parameter may have."""

from __future__ import annotations

import keyword
import re

from chainrule.formulas._expression import FUNCTIONS, REDUCTIONS

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
LANGUAGE_WORDS = frozenset({*FUNCTIONS, *REDUCTIONS, "where", "pi"})
_SYMBOLS = {"z": "the pre-activation", "a": "the output", "y": "the target"}


def is_plain_name(name: str) -> bool:
    """Tell whether a name is a letter, then letters, digits and single underscores.

    Names reach generated source; nothing but a plain identifier may pass.
    """
    return bool(_NAME.fullmatch(name)) and "__" not in name and not keyword.iskeyword(name)


def refusal_of_parameter(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a parameter's name and the remedy, or None."""
    if not is_plain_name(name):
        return (
            f"{name!r} cannot be a parameter's name",
            "A name begins with a letter and holds letters, digits and single underscores, "
            "such as alpha or beta_1.",
        )
    if name in LANGUAGE_WORDS:
        return (
            f"{name} is a word of the formula language, not a parameter's name",
            "Give the parameter another name, such as alpha.",
        )
    if name in _SYMBOLS:
        return (
            f"{name} stands for {_SYMBOLS[name]} and cannot be a parameter's name",
            "Give the parameter another name, such as alpha.",
        )
    return None
