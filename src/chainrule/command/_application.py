"""The commands with their options and help; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.command import _messages
from chainrule.command._arguments import (
    Data,
    Parameters,
    TrainingOptions,
    with_training_options,
)
from chainrule.command._options import (
    Kind,
    Precision,
    TextFormat,
    check_source,
    parameter_values,
)
from chainrule.command._reporting import OfFormula, Reporting, examples
from chainrule.command.compare._command import compare

_NOT_PASSED = 1

application = typer.Typer(
    cls=Reporting,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

FormulaArgument = Annotated[
    str,
    typer.Argument(
        metavar="FORMULA", help="A formula in z, or a name of the catalogue.", show_default=False
    ),
]
HiddenActivations = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FORMULA",
        help="A formula in z or a name: once for all hidden layers, or once for each.  "
        "[default: relu]",
    ),
]
CostParameters = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help="Value of a parameter of the cost."),
]
Format = Annotated[
    TextFormat, typer.Option("--format", help="Text for the terminal, or LaTeX for a paper.")
]
Page = Annotated[Path | None, typer.Option(help="Also write one self-contained page to this file.")]


def _version(wanted: bool) -> None:
    if wanted:
        from chainrule import __version__

        _messages.say(f"chainrule {__version__}")
        raise typer.Exit


@application.callback(
    epilog=examples(
        'chainrule derive "z*tanh(log(1 + exp(z)))"',
    )
)
def commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Write an activation function as in a paper: derive, prove, compile, train.

    A formula is Python's expression syntax in z, the pre-activation of a unit: "z/(1 + exp(-z))",
    "max(alpha*z, z)" with a parameter, "exp(z)/sum(exp(z))" over the units of a layer. Quote it,
    so that the shell leaves it alone.
    """


def _cost_values(cost: str | None, given: list[str] | None) -> dict[str, float]:
    values = parameter_values(given or (), "--cost-parameter")
    if values and cost is None:
        raise _messages.CommandError("--cost-parameter needs a --cost\nGive the cost as well.")
    return values


@application.command(
    cls=OfFormula,
    epilog=examples(
        'chainrule derive "z/(1 + exp(-z))"',
        'chainrule derive "max(alpha*z, z)" --parameter alpha=0.2 --html leaky.html',
        "chainrule derive softmax --cost categorical_cross_entropy",
    ),
)
def derive(
    formula: FormulaArgument,
    parameter: Parameters = None,
    cost: Annotated[
        str | None,
        typer.Option(
            help="Derive this cost behind the function as well: a formula in the output a and the "
            "target y, or a name of the catalogue."
        ),
    ] = None,
    cost_parameter: CostParameters = None,
    portrait: Annotated[
        bool,
        typer.Option(
            "--portrait", help="Add what the function does: range, symmetry, slopes, fixed points."
        ),
    ] = False,
    text_format: Format = TextFormat.TEXT,
    html: Page = None,
) -> None:
    """Derive the backward pass of a function, step by step."""
    values, cost_values = parameter_values(parameter or ()), _cost_values(cost, cost_parameter)
    from chainrule.command import _derive

    _derive.derive(formula.strip(), values, cost, cost_values, text_format, html, portrait=portrait)


@application.command(
    cls=OfFormula,
    epilog=examples(
        "chainrule propagation 64-32-10 --activation mish --batch 200",
        "chainrule propagation 8-16-16-1 --output identity --cost half_squared_error",
        "chainrule propagation model.safetensors --html network.html",
    ),
)
def propagation(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The number of inputs and the units of every layer, such as 64-32-10; or a model "
            "file.",
            show_default=False,
        ),
    ],
    activation: HiddenActivations = None,
    parameter: Parameters = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA",
            help="The output activation, given with --cost.  [default: softmax; of one unit "
            "sigmoid]",
        ),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA",
            help="The cost: a formula in the output a and the target y, or a name.  [default: "
            "categorical_cross_entropy; of one unit binary_cross_entropy]",
        ),
    ] = None,
    cost_parameter: CostParameters = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Examples in a batch.  [default: m]")
    ] = None,
    text_format: Format = TextFormat.TEXT,
    html: Page = None,
) -> None:
    """Derive a network's equations, forward and backward.

    Every equation is shown with the shapes of its matrices, and the table at the end with the
    numbers kept and the multiply-adds. A model file says itself what its network is; its penalty
    on the weights is shown as well.
    """
    values = parameter_values(parameter or ())
    cost_values = parameter_values(cost_parameter or (), "--cost-parameter")
    from chainrule.command import _propagation

    _propagation.show(
        source.strip(),
        activations=activation or [],
        parameters=values,
        output=output,
        cost=cost,
        cost_parameters=cost_values,
        batch=batch,
        text_format=text_format,
        html=html,
    )


@application.command(
    cls=OfFormula,
    epilog=examples(
        'chainrule certify "log((1 + exp(z))/2)" --dtype float64',
        "chainrule certify mish --sweep",
        "chainrule certify sigmoid --cost binary_cross_entropy",
    ),
)
def certify(
    formula: FormulaArgument,
    parameter: Parameters = None,
    dtype: Annotated[
        Precision, typer.Option(help="The floating-point format to measure.")
    ] = Precision.FLOAT32,
    cost: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA",
            help="Measure this cost behind the function instead, and its derivative by z.",
        ),
    ] = None,
    cost_parameter: CostParameters = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="Compare at every float32 there is; a sweep that is cut off goes on from there.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how exact a function's value and derivative are.

    Both are compared with a reference of many digits. Shows the largest errors in ulp (units in
    the last place) and their inputs, the behaviour at zero, infinity and NaN, and a check of the
    backward pass by central differences. The exit code is 1 where the certificate is not passed.
    """
    values, cost_values = parameter_values(parameter or ()), _cost_values(cost, cost_parameter)
    from chainrule.command import _certify

    if sweep and cost is not None:
        raise _messages.CommandError("a sweep is of one function\nLeave out --cost or --sweep.")
    if sweep:
        passed = _certify.sweep(formula.strip(), values, dtype, json)
    else:
        passed = _certify.certify(formula.strip(), values, cost, cost_values, dtype, json)
    if not passed:
        raise typer.Exit(_NOT_PASSED)


@application.command(
    "list",
    epilog=examples(
        "chainrule list activations",
        "chainrule list leaky_relu",
    ),
)
def list_(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A function, to read all about it; or a part: activations or costs.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the functions that have a name, or tell all about one.

    Of one function: its formula, parameters, source, and what other frameworks call it, with
    their defaults where they differ.
    """
    from chainrule.command import _list

    if name is None or name in list(Kind):
        _list.list_catalogue(None if name is None else Kind(name))
    else:
        _list.describe(name)


@application.command(
    epilog=examples(
        "chainrule train flowers.csv --target species",
        "chainrule train houses.parquet --target price --drop id --impute median \\",
        '    --activation "z*exp(-z**2)" --hidden 64,32 --output houses.safetensors',
        "chainrule train large.parquet --target price --checkpoint run.checkpoint --resume",
    )
)
@with_training_options
def train(
    data: Data,
    options: TrainingOptions,
    activation: HiddenActivations = None,
    test_size: Annotated[
        float, typer.Option(help="Share of the rows held out for the test, between 0 and 1.")
    ] = 0.25,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same split and the same network.")
    ] = 0,
    output: Annotated[Path, typer.Option(metavar="MODEL", help="The model file to write.")] = Path(
        "model.safetensors"
    ),
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep in this file all that it takes to go on."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the checkpoint, if there is one."),
    ] = False,
) -> None:
    """Train a network on a table and write a model file.

    The network is tested on rows held out from training, beside a prediction without a network.
    Numbers are standardised, text becomes one input for each category; both are learned from the
    rows to train on and kept in the model file, so that predicting needs nothing else.

    With --checkpoint, whatever ends the training, the same command with --resume goes on from
    there, and writes the same model as if nothing had been.
    """
    if not 0.0 < test_size < 1.0:
        raise _messages.CommandError(
            f"--test-size {test_size:g} is not a share\nExpected a number between 0 and 1, "
            "such as 0.25."
        )
    if resume and checkpoint is None:
        raise _messages.CommandError(
            "--resume needs a --checkpoint\nName the file that the training was to keep."
        )
    check_source(data)
    from chainrule.command import _train

    _train.train(
        data,
        options,
        activations=activation or ["relu"],
        test_size=test_size,
        seed=seed,
        output=output,
        checkpoint=checkpoint,
        resume=resume,
    )


application.command(
    epilog=examples(
        "chainrule compare flowers.csv --target species --activations relu,gelu,mish",
        'chainrule compare houses.csv --target price --activations "tanh, max(0, z)**2"',
    )
)(compare)


@application.command(
    epilog=examples(
        "chainrule predict model.safetensors new.csv --probabilities --output predictions.csv",
    )
)
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file that train wrote.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV or Parquet with the columns of training.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Write CSV to this file instead of the terminal.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add the probability of every class.")
    ] = False,
) -> None:
    """Predict for every row of a table.

    Columns are found by name, so their order is free and further columns do no harm. A category
    that was not there in training counts as none of the known ones.
    """
    check_source(model)
    check_source(data)
    from chainrule.command import _predict

    _predict.predict(model, data, output, probabilities)


@application.command(
    epilog=examples(
        'chainrule demo --activation "z*tanh(log(1 + exp(z)))"',
    )
)
def demo(
    activation: Annotated[
        str, typer.Option(metavar="FORMULA", help="The hidden activation: a formula or a name.")
    ] = "z/(1 + exp(-1.702*z))",
    parameter: Parameters = None,
    page: Annotated[Path, typer.Option(help="The page to write.")] = Path("chainrule-demo.html"),
) -> None:
    """Derive, certify and train: a tour, with digits.

    Compares with scikit-learn's MLPClassifier on rows that neither has seen, and writes one
    self-contained page with the derivation and the learning curve.
    """
    values = parameter_values(parameter or ())
    from chainrule.command import _demo

    _demo.demo(activation, values, page)
