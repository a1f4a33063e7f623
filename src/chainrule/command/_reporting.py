"""How commands end, and how their arguments and help are read."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from chainrule.command._messages import (
    describe,
    fail,
    is_broken_pipe,
    leave_quietly,
    say_interrupted,
)
from chainrule.formulas import ChainruleError

_FAILED, _INTERRUPTED = 2, 130


class Reporting(TyperGroup):
    """Commands whose errors end as messages: bad input is no reason for a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what was given wrongly ends with exit code 2."""
        try:
            return super().invoke(ctx)
        except (ChainruleError, OSError, ValueError, MemoryError) as error:
            if is_broken_pipe(error):
                leave_quietly()
            else:
                fail(describe(error))
            raise typer.Exit(_FAILED) from None
        except KeyboardInterrupt:
            say_interrupted()
            raise typer.Exit(_INTERRUPTED) from None


class OfFormula(TyperCommand):
    """A command whose argument may begin with a minus sign, as ``-z`` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Shield what begins with a single dash: no option does, except -h."""
        shielded = [f" {text}" if _is_shielded(text) else text for text in args]
        return super().parse_args(ctx, shielded)


def examples(*lines: str) -> str:
    """Return the examples that end a command's help."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    # The backspace keeps the lines that follow from being joined to a paragraph.
    return "\n".join(["\b", title, *(f"  {line}" for line in lines)])


def _is_shielded(text: str) -> bool:
    return text.startswith("-") and not text.startswith("--") and text != "-h"
