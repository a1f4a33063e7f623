"""A derivation on the terminal."""

from __future__ import annotations

import shutil
import sys

from chainrule.command._messages import say
from chainrule.command._options import TextFormat
from chainrule.documents import Documented

_NARROWEST, _WIDTH = 60, 100


def display(shown: Documented, text_format: TextFormat) -> None:
    """Print a derivation, as wide as the terminal."""
    say(shown.to_latex() if text_format is TextFormat.LATEX else shown.to_text(terminal_width()))


def terminal_width() -> int:
    """Return the width of the terminal, or a readable one where there is none."""
    if not sys.stdout.isatty():
        return _WIDTH
    return max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 24)).columns)
