"""A cost behind an output activation: ∂J/∂z of the two together, derived.

    ∂J/∂z_j = Σ_p ∂J/∂a_p ∂a_p/∂z_j

with ∂J/∂a from the cost's own graph and ∂a/∂z through the output. Where the product is simpler than
its factors (for the sigmoid with binary cross-entropy it is a - y) it replaces them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy

from chainrule.derivations._derivation import derive
from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import (
    ONE,
    divide,
    fraction_of,
    multiply,
    negate,
    one_fraction,
    size,
)
from chainrule.derivations.algebra._choices import with_choices
from chainrule.derivations.algebra._sympy import ARITHMETIC, FAILURES, Translation
from chainrule.derivations.costs._joined import simplified
from chainrule.derivations.costs._known_total import with_known_total
from chainrule.derivations.costs._saturation import survives_rounding
from chainrule.derivations.layers._check import agrees_where_awkward, proved
from chainrule.derivations.layers._closed_form import closed_form, cost_gradient, without_reductions
from chainrule.derivations.layers._sum_algebra import is_per_unit
from chainrule.derivations.layers._vector_jacobian import SEED, backward_graph
from chainrule.derivations.limits_in_time._time_limit import time_limit
from chainrule.derivations.output_forms._through_output import slopes
from chainrule.derivations.output_forms.shortening._shortening import shortest
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    apart,
    parse,
    subexpressions,
    substitute,
    variables_of,
)

_A = Variable("a")
_SECONDS = 1.5  # for each way of looking


@dataclass(frozen=True)
class FusedGradient:
    """The derivative of the cost of one example by the output layer's pre-activations.

    Parameters
    ----------
    by_output : Expression
        ∂J/∂a in `a` and `y`.
    by_preactivation : Expression or None
        ∂J/∂z in `a` and `y`, and in `z` where no form in these alone was found; None where no form
        was found at all.
    assumption : str
        What of the targets the short form takes for granted; empty if nothing.
    joined : Expression or None
        ∂J/∂z before simplification: ∂J/∂a put into the activation's form through its output.
    survives_rounding : bool
        Whether the short form is right where the output has rounded to its limit.
    """

    by_output: Expression
    by_preactivation: Expression | None
    assumption: str = ""
    joined: Expression | None = None
    survives_rounding: bool = True

    @property
    def keeps_gradient(self) -> bool:
        """Whether the short form loses nothing in floating point.

        It is linear in the output, and does not vanish where the output rounds to its limit.
        """
        form = self.by_preactivation
        return form is not None and self.survives_rounding and _is_linear(form)

    @property
    def reason_for_two_factors(self) -> str:
        """Why the kernels compute the two factors one by one, where there is a short form."""
        form = self.by_preactivation
        if form is None or self.keeps_gradient:
            return ""
        if "z" in variables_of(without_reductions(form)):
            return "This form asks for z too; the two factors are computed one by one."
        return (
            "This form rounds where the output saturates; the two factors are computed one by one "
            "from z, which keeps the gradient."
        )


def _is_linear(form: Expression) -> bool:
    """Tell whether a form in `a` and `y` is linear in the output, and has no sum over outputs."""
    if _sums_over_output(form) or "z" in variables_of(without_reductions(form)):
        return False
    translation = Translation()
    a = translation.symbol(_A)
    e = translation.to_sympy(form)
    e = e.subs(sympy.exp(a), a)
    if not e.is_polynomial(a):
        return False
    hidden = (translation.meaning[s] for s in e.free_symbols if s != a)
    if any("a" in variables_of(part) and not _is_step(part) for part in hidden):
        return False
    return bool(sympy.degree(sympy.expand(e), a) <= 1)


def _is_step(part: Expression) -> bool:
    return isinstance(part, Apply) and part.operation in ("indicator", "sign")


def _sums_over_output(expression: Expression) -> bool:
    return any(
        isinstance(e, Apply) and e.operation in REDUCTIONS and "a" in variables_of(e)
        for e in subexpressions(expression)
    )


def fused_gradient(activation: Formula, cost: Formula, assumption: str = "") -> FusedGradient:
    """Derive ∂J/∂z of a cost behind an output activation.

    Parameters
    ----------
    activation, cost : Formula
    assumption : str
        What may be taken for granted of the targets, as ``"sum(y) == 1"``. It is used, and said
        to be used, only where it makes the result shorter.

    Examples
    --------
    >>> from chainrule.formulas import parse, to_text
    >>> sigmoid = parse("1/(1 + exp(-z))")
    >>> cost = parse("-sum(y*log(a) + (1 - y)*log(1 - a))", variables=("a", "y"))
    >>> to_text(fused_gradient(sigmoid, cost).by_preactivation)
    'a - y'
    """
    cost = apart(cost, activation)
    by_output = cost_gradient(cost)
    formula = Formula(activation.expression, (*activation.parameters, *cost.parameters))
    if activation.is_layer_coupled:
        fused = _coupled(formula, by_output, assumption)
    else:
        fused = _elementwise(activation, by_output, dict(formula.parameters))
    if fused.by_preactivation is None:
        return fused
    short = with_choices(fused.by_preactivation)
    fused = replace(fused, by_preactivation=short)
    if not fused.keeps_gradient:
        return fused
    return replace(fused, survives_rounding=survives_rounding(formula, by_output, short))


def _coupled(formula: Formula, by_output: Expression, assumption: str) -> FusedGradient:
    through, seed = closed_form(formula), with_known_total(by_output, formula)
    joined, shorter = (None if through is None else _put_in(e, through) for e in (by_output, seed))
    found: tuple[Expression, str] | None = None
    for given in dict.fromkeys(("", assumption)):
        known = _equation(given) if given else None
        for short in _coupled_forms(formula, seed, shorter, known):
            if found is None or _rank(short, given) < _rank(*found):
                found = short, given
    if found is None:
        return FusedGradient(by_output, None, joined=joined)
    return FusedGradient(by_output, *found, joined)


def _put_in(by_output: Expression, through: Expression) -> Expression:
    """Put ∂J/∂a in for g, in which the form is linear: what the layer shares stands before it."""
    above, below = fraction_of(by_output)
    (own, shared), divisor = _shared_apart(above), below
    if is_per_unit(below):
        own, divisor = divide(own, below), ONE
    linear = substitute(through, lambda e: own if e == SEED else None)
    return one_fraction(divide(shared, divisor), linear)


def _shared_apart(product: Expression) -> tuple[Expression, Expression]:
    """Return a product as that of what differs from unit to unit and what the layer shares."""
    match product:
        case Apply("negate", (x,)):
            own, shared = _shared_apart(x)
            return negate(own), shared
        case Apply("multiply", (x, y)):
            (own, shared), (more_own, more_shared) = _shared_apart(x), _shared_apart(y)
            return multiply(own, more_own), multiply(shared, more_shared)
    return (product, ONE) if is_per_unit(product) else (ONE, product)


def _coupled_forms(
    formula: Formula,
    by_output: Expression,
    joined: Expression | None,
    known: tuple[Expression, Expression] | None,
) -> Iterator[Expression]:
    """Yield forms that hold: the joined one as it is and simplified, and the chain rule's."""
    if joined is not None:
        ways = [joined] if known is None else []
        try:
            with time_limit(_SECONDS):
                ways.append(simplified(joined, by_output, dict(formula.parameters), known))
        except FAILURES:
            pass
        yield from (way for way in ways if proved(formula, way, by_output, known))
    whole = closed_form(formula, by_output, known, _SECONDS)
    if whole is not None:
        yield whole


def _rank(form: Expression, assumption: str) -> tuple[bool, bool, int]:
    """Return what forms are ordered by: in `a` alone, linear in it without sums, short."""
    return "z" in variables_of(form), not _is_linear(form), size(form) + bool(assumption)


def _equation(assumption: str) -> tuple[Expression, Expression]:
    left, right = assumption.split("==")
    total = parse(left.strip(), variables=("a", "y")).expression
    return total, Constant(Fraction(right.strip()))


def _elementwise(
    activation: Formula, by_output: Expression, values: dict[str, float]
) -> FusedGradient:
    translation = Translation()
    for name, value in values.items():
        translation.symbol(Parameter(name), positive=True if value > 0 else None)
    formula = Formula(activation.expression, tuple(values.items()))
    chained = backward_graph(computation_graph(formula.expression), seed=by_output)[0].expression()
    joined, found = None, []
    for slope in slopes(derive(activation)):
        product = one_fraction(slope, by_output)
        joined = joined or product
        for form in dict.fromkeys((_by_pieces(by_output, slope, translation), product)):
            if "z" in variables_of(form) and not agrees_where_awkward(
                formula, form, chained, by_output
            ):
                continue
            if proved(formula, form, by_output):
                found.append(form)
        if found:
            break
    short = min(found, key=size, default=None)
    return FusedGradient(by_output, short, joined=joined)


def _by_pieces(by_output: Expression, slope: Expression, translation: Translation) -> Expression:
    """Multiply piece by piece, and write each product as short as it can be."""
    if isinstance(slope, Apply) and slope.operation == "where":
        condition, *pieces = slope.arguments
        assert isinstance(condition, Apply)
        sides = (translation.to_expression(translation.to_sympy(x)) for x in condition.arguments)
        products = (_by_pieces(by_output, piece, translation) for piece in pieces)
        return Apply("where", (Apply(condition.operation, tuple(sides)), *products))
    product = one_fraction(slope, by_output)
    functions: dict[Expression, Expression] = {}
    named = substitute(product, lambda e: _named(e, functions))
    meaning = {name: e for e, name in functions.items()}
    try:
        with time_limit(_SECONDS):
            plain = translation.to_sympy(named)
            cancelled = sympy.cancel(sympy.together(plain))
            # What has no common factors is multiplied out: as it stands it may be shorter.
            kept, short = (
                substitute(shortest(way, translation), meaning.get) for way in (plain, cancelled)
            )
            ways = (kept, short, product) if size(short) <= size(product) else (product, kept)
            return min(ways, key=size)
    except FAILURES:
        return product


def _named(e: Expression, functions: dict[Expression, Expression]) -> Expression | None:
    """Put a variable for a function of z: the slope is short already, in what it is made of."""
    if isinstance(e, Apply) and e.operation not in ARITHMETIC and variables_of(e) == {"z"}:
        return functions.setdefault(e, Variable(f"h{len(functions)}"))
    return None
