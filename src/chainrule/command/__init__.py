"""The terminal's face: derive, certify, list, train, compare, predict, demo."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; the console entry point."""
    try:
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show ∂ shows a question mark; that is no reason to fail.
            getattr(stream, "reconfigure", dict)(errors="replace")
        from chainrule.command._application import application

        application(prog_name="chainrule")
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(_INTERRUPTED)
