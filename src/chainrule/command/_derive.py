"""``chainrule derive``: the backward pass of a formula with every step."""

from __future__ import annotations

from pathlib import Path

from chainrule.command._display import display
from chainrule.command._messages import note, say
from chainrule.command._options import TextFormat, check_destination
from chainrule.derivations import CostDerivation, Derivation
from chainrule.documents import Documented, page
from chainrule.functions import activation, cost


def derive(
    formula: str,
    parameters: dict[str, float],
    cost_source: str | None,
    cost_parameters: dict[str, float],
    text_format: TextFormat,
    html: Path | None,
    *,
    portrait: bool,
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
    shown: list[Documented] = [*derivations, *([function.portrait()] if portrait else [])]
    for position, each in enumerate(shown):
        if position:
            say()
        display(each, text_format)
    if html is not None:
        sections = tuple(s for each in derivations for s in each.document.page_sections())
        last = derivations[-1].document
        html.write_text(page(last.title, sections, last.formula), encoding="utf-8")
        note(f"wrote {html}")
