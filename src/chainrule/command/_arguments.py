"""Options that several commands have, with their help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from chainrule.command._options import Impute, Task, layer_widths, parameter_values

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter", metavar="NAME=NUMBER", help="Value of a parameter; repeat for several.",
        show_default=False,
    ),
]  # fmt: skip
Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="A CSV file with a header, or a Parquet file.")
]


@dataclass(frozen=True)
class TrainingOptions:
    """The options of all commands that train on a table."""

    target: Annotated[
        str,
        typer.Option(
            metavar="COLUMN,...", help="The column to predict, or several separated by commas."
        ),
    ]
    parameter: Parameters = None
    hidden: Annotated[str, typer.Option(metavar="N,N,...", help="Units of the hidden layers.")] = (
        "64,64"
    )
    task: Annotated[
        Task,
        typer.Option(
            help="Auto classifies text, booleans and whole numbers with few distinct values."
        ),
    ] = Task.AUTO
    impute: Annotated[
        Impute,
        typer.Option(
            help="What fills missing numbers; missing text and booleans are filled with the most "
            "frequent. None refuses missing values."
        ),
    ] = Impute.NONE
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A text that stands for a missing value; among numbers NA, NaN, null and ? do.",
        ),
    ] = None
    drop: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave this column out.")
    ] = None
    max_iter: Annotated[int, typer.Option(min=1, help="At most so many epochs.")] = 500
    learning_rate: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 0.001
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Examples in a mini-batch.  [default: 200]")
    ] = None
    alpha: Annotated[float, typer.Option(help="Strength of the penalty on the weights.")] = 0.0001
    early_stopping: Annotated[
        bool | None,
        typer.Option(
            "--early-stopping/--no-early-stopping",
            help="Keep a tenth of the rows aside, and stop when their score improves no more.  "
            "[default: for regression]",
        ),
    ] = None

    @property
    def parameters(self) -> dict[str, float]:
        """The values of the formulas' parameters."""
        return parameter_values(self.parameter or ())

    @property
    def widths(self) -> tuple[int, ...]:
        """The numbers of units of the hidden layers."""
        return layer_widths(self.hidden)

    @property
    def settings(self) -> dict[str, Any]:
        """Further parameters of the estimators."""
        return {
            "max_iter": self.max_iter,
            "learning_rate_init": self.learning_rate,
            "batch_size": self.batch_size or "auto",
            "alpha": self.alpha,
        }


def with_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command in which every field of `TrainingOptions` is an option of its own.

    The command takes them together, as its parameter ``options``.
    """
    hints = get_type_hints(TrainingOptions, include_extras=True)
    empty = inspect.Parameter.empty
    spread = [
        _option(each.name, hints[each.name], empty if each.default is MISSING else each.default)
        for each in fields(TrainingOptions)
    ]
    own = get_type_hints(command, include_extras=True)
    kept: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kept += spread if name == "options" else [_option(name, own[name], parameter.default)]

    def run(**given: Any) -> None:
        shared = {each.name: given.pop(each.name) for each in spread}
        command(options=TrainingOptions(**shared), **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in kept}
    run.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
    return run


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )
