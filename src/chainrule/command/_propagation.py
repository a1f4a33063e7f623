"""``chainrule propagation``: the equations of a whole network."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.catalogue import cost_formula
from chainrule.command._display import display
from chainrule.command._layers import layer_formulas, one_for_each
from chainrule.command._messages import CommandError, listed, note, quoted
from chainrule.command._options import TextFormat, check_destination
from chainrule.networks import propagation

if TYPE_CHECKING:
    from chainrule.networks.on_paper._equations import Propagation

_HIDDEN = "relu"
_OF_ONE_OUTPUT = ("sigmoid", "binary_cross_entropy")
_OF_SEVERAL = ("softmax", "categorical_cross_entropy")


def show(
    source: str,
    *,
    activations: Sequence[str],
    parameters: dict[str, float],
    output: str | None,
    cost: str | None,
    cost_parameters: dict[str, float],
    batch: int | None,
    text_format: TextFormat,
    html: Path | None,
) -> None:
    """Print the equations of a network of these sizes, or of the one in a model file."""
    model = _model_file(source)
    if html is not None:
        check_destination(html, *([] if model is None else [model]))
    if model is None:
        shown = _of_sizes(
            sizes_of(source), activations, parameters, output, cost, cost_parameters, batch
        )
    else:
        given = {
            "--activation": activations, "--parameter": parameters, "--output": output,
            "--cost": cost, "--cost-parameter": cost_parameters,
        }  # fmt: skip
        if superfluous := [option for option, value in given.items() if value]:
            raise CommandError(
                f"{listed(superfluous)} cannot change the network in {quoted(model)}\n"
                "Leave it away, or give the sizes of a network, such as 64-32-10."
            )
        shown = _of_model(model, batch)
    display(shown, text_format)
    if html is not None:
        shown.to_html(html)
        note(f"wrote {html}")


def sizes_of(text: str) -> tuple[int, ...]:
    """Return the number of inputs and the units of every layer.

    Examples
    --------
    >>> sizes_of("64-32-10")
    (64, 32, 10)
    """
    parts = text.split("-")
    sized = all(re.fullmatch(r"[0-9]{1,6}", part) and int(part) > 0 for part in parts)
    if len(parts) < 2 or not sized:
        raise CommandError(
            f"{quoted(text)} is neither the sizes of a network nor a model file\n"
            "Expected the number of inputs, then the units of every layer, each from 1 to 999999, "
            "such as 64-32-10, or a file that `chainrule train` wrote."
        )
    return tuple(int(part) for part in parts)


def _model_file(source: str) -> Path | None:
    """Return the file that is meant, where it is not sizes."""
    if re.fullmatch(r"[0-9]+(-[0-9]+)*", source):
        return None
    named = source.endswith(".safetensors") and source.isprintable()
    return Path(source) if named or os.path.isfile(source) else None


def _of_sizes(
    sizes: tuple[int, ...],
    activations: Sequence[str],
    parameters: dict[str, float],
    output: str | None,
    cost: str | None,
    cost_parameters: dict[str, float],
    batch: int | None,
) -> Propagation:
    if (output is None) != (cost is None):
        given, absent = ("--output", "--cost") if cost is None else ("--cost", "--output")
        raise CommandError(
            f"{given} is given without {absent}\nGive both, such as --output identity --cost "
            "half_squared_error, or neither."
        )
    if cost_parameters and cost is None:
        raise CommandError("--cost-parameter needs a --cost\nGive the cost as well.")
    hidden = len(sizes) - 2
    if activations and not hidden:
        raise CommandError(
            f"--activation is that of hidden layers, and {'-'.join(map(str, sizes))} has none\n"
            "Give the output activation with --output, or more sizes."
        )
    usual = _OF_ONE_OUTPUT if sizes[-1] == 1 else _OF_SEVERAL
    last, behind = (output or "", cost or "") if output is not None else usual
    sources = one_for_each(activations or [_HIDDEN], hidden) if hidden else ()
    formulas = layer_formulas((*sources, last), parameters)
    return propagation(sizes, formulas, cost_formula(behind, **cost_parameters), batch=batch)


def _of_model(model: Path, batch: int | None) -> Propagation:
    # Sizes alone need no estimator, which takes long to import.
    from chainrule.estimators import load

    return load(model).propagation(batch=batch)
