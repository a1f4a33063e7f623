"""The activations of a network's layers, as options give them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainrule.catalogue import activation_formula
from chainrule.command._messages import CommandError, counted, listed
from chainrule.formulas import Formula


def one_for_each(sources: Sequence[str], layers: int) -> tuple[str, ...]:
    """Return a source for every hidden layer, where one may stand for all.

    Examples
    --------
    >>> one_for_each(["tanh"], 3)
    ('tanh', 'tanh', 'tanh')
    """
    if len(sources) not in (1, layers):
        raise CommandError(
            f"{len(sources)} activations are given for {counted(layers, 'hidden layer')}\n"
            "Give --activation once for all layers, or once for each."
        )
    return tuple(sources) * (layers if len(sources) == 1 else 1)


def layer_formulas(sources: Sequence[str], parameters: dict[str, float]) -> tuple[Formula, ...]:
    """Return the activation of every layer; each takes the parameters that it names."""
    read = {source: _with_own_parameters(source, parameters) for source in sources}
    named = {name for formula in read.values() for name, _ in formula.parameters}
    unused = parameters.keys() - named
    if unused:
        raise CommandError(
            f"--parameter {listed(sorted(unused))} does not occur in "
            f"{' or '.join(dict.fromkeys(formula.text for formula in read.values()))}"
        )
    return tuple(read[source] for source in sources)


def _with_own_parameters(source: str, parameters: dict[str, float]) -> Formula:
    text = source.strip()
    if text.isidentifier() and text != "z":
        text = activation_formula(text).text
    words = set(re.findall(r"\w+", text))
    own = {name: value for name, value in parameters.items() if name in words}
    return activation_formula(source, **own)
