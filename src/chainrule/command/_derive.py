"""``chainrule derive``: the backward pass of a formula with every step."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from chainrule.command._messages import note, say
from chainrule.command._options import TextFormat, check_destination
from chainrule.derivations import CostDerivation, Derivation
from chainrule.documents import page
from chainrule.functions import activation, cost

_NARROWEST, _WIDTH = 60, 100


def derive(
    formula: str,
    parameters: dict[str, float],
    cost_source: str | None,
    cost_parameters: dict[str, float],
    text_format: TextFormat,
    html: Path | None,
) -> None:
    """Print the derivation of an activation, and of a cost behind it where one is given."""
    function = activation(formula, **parameters)
    derivations: list[Derivation | CostDerivation] = []
    if html is not None:
        check_destination(html)
    behind = None
    if cost_source is not None:
        # The cost is read first: its faults are cheap to find.
        behind = cost(cost_source, **cost_parameters)
    derivations.append(function.derivation())
    if behind is not None:
        derivations.append(behind.derivation(function))
    for position, derivation in enumerate(derivations):
        if position:
            say()
        if text_format is TextFormat.LATEX:
            say(derivation.to_latex())
        else:
            say(derivation.to_text(_width()))
    if html is not None:
        sections = function.derivation().page_sections()
        sections += tuple(section for each in derivations[1:] for section in each.sections)
        html.write_text(page(derivations[-1].title, sections), encoding="utf-8")
        note(f"wrote {html}")


def _width() -> int:
    """Return the width of the terminal, or a readable one where there is none."""
    if not sys.stdout.isatty():
        return _WIDTH
    return max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 24)).columns)
