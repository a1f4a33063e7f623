"""What a cost makes of the output alone (``log(a)``, ``1 - a``), computed from `z` instead.

Where the output has rounded to 1, ``1 - a`` and its logarithm are lost; as functions of `z` they
are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.derivations import backward_graph, computation_graph, time_budget
from chainrule.formulas import (
    Apply,
    Expression,
    Formula,
    Variable,
    constant,
    is_layer_coupled,
    substitute,
    variables_of,
)
from chainrule.kernels._elementwise import scalar_functions
from chainrule.kernels.source._smooth import stable_form

_A, _Z = Variable("a"), Variable("z")
_SECONDS = 24.0  # far above what formulas take, so that every run makes the same kernels


@dataclass(frozen=True)
class OutputParts:
    """The parts of a cost that are computed from `z`.

    Parameters
    ----------
    names : dict of Expression to str
        What is to be replaced, in `a`, and the variable that stands for it.
    formulas : dict of str to Formula
        The same parts by the names of their variables, in `z`.
    """

    names: dict[Expression, str]
    formulas: dict[str, Formula]

    def written(self, expression: Expression) -> Expression:
        """Return an expression over the parts."""
        return substitute(
            expression, lambda e: Variable(self.names[e]) if e in self.names else None
        )

    def source(self, name: str, dtype: str, *, for_other_values: bool) -> list[str]:
        """Return a part's function and that of its slope, as ``part0`` and ``part0_slope``."""
        functions = scalar_functions(
            self.formulas[name], dtype, name, slope_of(name), for_other_values=for_other_values
        )
        return [*functions, "", ""]

    def gradient(self, cost: Expression) -> Expression:
        """Return ∂(cost)/∂z: through the output, and through each part."""
        slopes = {"a": "slope"} | {name: slope_of(name) for name in self.formulas}
        forward = computation_graph(_with_finite_slopes(self.written(cost), slopes))
        result: Expression = constant(0)
        for name, slope in slopes.items():
            adjoint = backward_graph(forward, name, constant(1), selects=True)[0].expression()
            result = Apply("add", (result, Apply("multiply", (adjoint, Variable(slope)))))
        return result


def _with_finite_slopes(expression: Expression, slopes: dict[str, str]) -> Expression:
    """Let a power of a value that has underflown pass nothing back: its slope has underflown too.

    For an exponent below 1 infinity would meet 0 there.
    """
    zero = constant(0)

    def held(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (Variable(name), exponent)) if name in slopes and not variables_of(
                exponent
            ):
                both = (Apply("abs", (Variable(x),)) for x in (name, slopes[name]))
                vanishes = Apply("equal", (Apply("add", tuple(both)), zero))
                return Apply("where", (vanishes, Apply("power", (zero, exponent)), e))
        return None

    return substitute(expression, held)


def slope_of(name: str) -> str:
    """Return the name of a part's derivative by `z`."""
    return f"{name}_slope"


def output_parts(activation: Formula, cost: Formula) -> OutputParts:
    """Find the largest parts of a cost that are functions of the output alone and stable in `z`.

    Parameters
    ----------
    activation : Formula
        Element-wise.
    cost : Formula
        Its parameters bear other names than those of the activation.
    """
    values = (*activation.parameters, *cost.parameters)
    names: dict[Expression, str] = {}
    formulas: dict[str, Formula] = {}

    def find(e: Expression) -> None:
        if not isinstance(e, Apply) or e in names:
            return
        if variables_of(e) == {"a"} and not is_layer_coupled(e):
            inner = substitute(e, lambda part: activation.expression if part == _A else None)
            if all(stable_form(inner, dict(values), side) is not None for side in (1, -1)):
                names[e] = f"part{len(names)}"
                formulas[names[e]] = Formula(inner, values)
                return
        for argument in e.arguments:
            find(argument)

    if activation.expression != _Z:
        with time_budget(_SECONDS):
            find(cost.expression)
    return OutputParts(names, formulas)
