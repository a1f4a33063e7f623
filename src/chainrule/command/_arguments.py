"""Options that several commands have, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.command._options import Impute, Task

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
TargetColumn = Annotated[str, typer.Option(metavar="COLUMN", help="The column to predict.")]
Hidden = Annotated[str, typer.Option(metavar="N,N,...", help="Units of the hidden layers.")]
TaskChoice = Annotated[
    Task,
    typer.Option(help="Auto classifies text, booleans and whole numbers with few distinct values."),
]
Imputing = Annotated[
    Impute,
    typer.Option(
        help="What fills missing numbers; missing text and booleans are filled with the most "
        "frequent. None refuses missing values."
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="A text that stands for a missing value, as '?' or NA."),
]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave this column out.")]
Epochs = Annotated[int, typer.Option(min=1, help="At most so many epochs.")]
LearningRate = Annotated[float, typer.Option(help="Learning rate of Adam.")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Examples in a mini-batch.  [default: 200]")
]
Penalty = Annotated[float, typer.Option(help="Strength of the penalty on the weights.")]
EarlyStopping = Annotated[
    bool | None,
    typer.Option(
        "--early-stopping/--no-early-stopping",
        help="Keep a tenth of the rows aside, and stop when their score improves no more.  "
        "[default: for regression]",
    ),
]
