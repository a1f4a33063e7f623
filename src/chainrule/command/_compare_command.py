"""``chainrule compare`` with its options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.command._arguments import (
    BatchSize,
    Data,
    Drop,
    EarlyStopping,
    Epochs,
    Hidden,
    Imputing,
    LearningRate,
    Missing,
    Parameters,
    Penalty,
    TargetColumn,
    TaskChoice,
)
from chainrule.command._messages import CommandError
from chainrule.command._options import (
    Against,
    Impute,
    Task,
    activation_sources,
    layer_widths,
    parameter_values,
)


def compare(
    data: Data,
    target: TargetColumn,
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
    parameter: Parameters = None,
    against: Annotated[
        Against, typer.Option(help="Compare with the first that is named, or with the best.")
    ] = Against.FIRST,
    folds: Annotated[int, typer.Option(min=2, help="Parts that are held out in turn.")] = 5,
    repeats: Annotated[
        int, typer.Option(min=1, help="How often to divide the rows into folds anew.")
    ] = 2,
    hidden: Hidden = "64,64",
    task: TaskChoice = Task.AUTO,
    impute: Imputing = Impute.NONE,
    missing: Missing = None,
    drop: Drop = None,
    max_iter: Epochs = 500,
    learning_rate: LearningRate = 0.001,
    batch_size: BatchSize = None,
    alpha: Penalty = 0.0001,
    early_stopping: EarlyStopping = None,
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
    values = parameter_values(parameter or ())
    widths = layer_widths(hidden)
    if output.exists() and not output.is_dir():
        raise CommandError(f"{output} is no folder\nName a folder for the comparison.")
    from chainrule.command import _compare

    _compare.compare(
        data,
        target=target,
        activations=sources,
        parameters=values,
        hidden=widths,
        folds=folds,
        repeats=repeats,
        against=against,
        task=task,
        impute=impute,
        missing=missing or [],
        drop=drop or [],
        seed=seed,
        early_stopping=early_stopping,
        output=output,
        settings={
            "max_iter": max_iter,
            "learning_rate_init": learning_rate,
            "batch_size": batch_size or "auto",
            "alpha": alpha,
        },
    )
