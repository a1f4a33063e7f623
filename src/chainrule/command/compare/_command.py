"""``chainrule compare`` with its options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.command._arguments import Data, TrainingOptions, with_training_options
from chainrule.command._messages import CommandError
from chainrule.command._options import Against, activation_sources, check_source


@with_training_options
def compare(
    data: Data,
    options: TrainingOptions,
    activations: Annotated[
        list[str] | None,
        typer.Option(
            "--activations",
            "--activation",
            metavar="FORMULA,...",
            help="Formulas in z or names, separated by commas outside of brackets; may be "
            "repeated. Each is used on all hidden layers.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Against, typer.Option(help="Compare with the first that is named, or with the best.")
    ] = Against.FIRST,
    folds: Annotated[int, typer.Option(min=2, help="Parts that are held out in turn.")] = 5,
    repeats: Annotated[
        int, typer.Option(min=1, help="How often to divide the rows into folds anew.")
    ] = 2,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same folds and first weights.")
    ] = 0,
    output: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where the finished fits and the results are kept."),
    ] = Path("comparison"),
) -> None:
    """Compare activations on a table by cross-validation.

    All of them are trained on the same folds from the same seeds. Shows their scores and times,
    and whether chance explains the differences; writes a page, a picture and JSON. What is
    finished is kept: after an interrupt the same command goes on, and with further activations it
    trains only these.
    """
    sources = activation_sources(activations or [])
    if not sources:
        raise CommandError(
            "no activation is given\nName what to compare, such as --activations relu,gelu."
        )
    if output.exists() and not output.is_dir():
        raise CommandError(f"{output} is no folder\nName a folder for the comparison.")
    check_source(data)
    from chainrule.command.compare import _compare

    _compare.compare(
        data,
        options,
        activations=sources,
        folds=folds,
        repeats=repeats,
        against=against,
        seed=seed,
        output=output,
    )
