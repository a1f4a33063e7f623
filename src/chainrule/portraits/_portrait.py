"""A portrait: statements on a function, each with its bounds and whether it is proved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from chainrule.derivations import (
    Breakpoint,
    Pieces,
    TimeLimitError,
    TooManyPiecesError,
    evaluate,
    innermost_branching,
    periodic_pieces,
    smooth_pieces,
    time_budget,
    time_limit,
)
from chainrule.derivations.algebra._arithmetic import multiply, rebuilt
from chainrule.documents import Document, Documented, Section, Table
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    constant,
    parameters_of,
    subexpressions,
    substitute,
    variables_of,
)
from chainrule.portraits import _shape
from chainrule.portraits._periodic import periodic_statements
from chainrule.portraits._statement import Statement, enclosed, number, place, unsettled
from chainrule.portraits._symmetry import (
    asymptotes,
    homogeneity,
    one_period,
    period,
    symmetries,
)
from chainrule.portraits.axes._axis import axis
from chainrule.portraits.axes._domain import domain, written
from chainrule.portraits.axes._join import Join, joins
from chainrule.portraits.enclosures._interval import UnsupportedOperationError
from chainrule.portraits.layers._layer import layer_statements
from chainrule.portraits.statistics._statistics import statistics

_SECONDS = 3.5
_GRACE = 0.3
_TWO = 2
_LARGEST = 1000  # an exponent of more makes a number's exact power too long, as at a far kink
_COMPUTED = ("kink", "jump")
_METHOD = (
    "Signs are proved by interval arithmetic, and for large |z| by the dominant term; limits and "
    "what swings for ever by expansions whose remainder is bounded, in log |z| where a logarithm "
    "grows; symmetries, kinks and jumps by algebra. Where two pieces meet is computed to 60 "
    "digits. Numbers in brackets are enclosures."
)
_MAP = (
    "A layer maps mean and variance as (μ, ν) → (E f(z), Var f(z)), where z is normal with mean 0 "
    "and variance ν: each unit sums many inputs with weights whose sum is 0 and whose squares add "
    "up to 1. It maps the second moment as q → E f(z)², where the variance of z is q."
)
_LAYER_METHOD = (
    "Statements hold for layers of any number of units n ≥ 2, and are proved by algebra."
)


@dataclass(frozen=True)
class Portrait(Documented):
    """What is known of a function, statement by statement."""

    formula: Formula
    statements: tuple[Statement, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """The portrait as sections of a document."""
        rows = tuple((s.subject, s.text, _status(s)) for s in self.statements)
        coupled = self.formula.is_layer_coupled
        sentences = (_LAYER_METHOD,) if coupled else (_METHOD, _MAP)
        table = Table(("property", "what holds", "status"), rows)
        return (Section("The function's portrait", sentences, blocks=(table,)),)

    @property
    def document(self) -> Document:
        """The portrait as a document of its own."""
        return Document(f"Portrait of {self.formula.title}", self.sections)

    def to_dict(self) -> dict[str, Any]:
        """Return names, texts and numbers alone, fit for JSON except for infinite bounds."""
        return {
            "formula": str(self.formula),
            "statements": [
                {"subject": s.subject, "text": s.text, "proved": s.proved,
                 "bounds": list(s.bounds) if s.bounds else None}
                for s in self.statements
            ],
        }  # fmt: skip

    def about(self, subject: str) -> tuple[Statement, ...]:
        """Return the statements on one subject."""
        return tuple(s for s in self.statements if s.subject == subject)


def portrait(formula: Formula) -> Portrait:
    """Return what can be proved of a function within a few seconds.

    Parameters
    ----------
    formula : Formula
        An activation, element-wise or layer-coupled.

    Returns
    -------
    Portrait

    Examples
    --------
    >>> from chainrule.catalogue import activation_formula
    >>> relu = portrait(activation_formula("relu"))
    >>> [s.text for s in relu.about("largest slope")]
    ['1']
    >>> [s.text for s in relu.about("infimum")]
    ['0, attained on a whole stretch']
    """
    found: list[Statement] = []
    try:
        with time_limit(_SECONDS + _GRACE), time_budget(_SECONDS):
            coupled = formula.is_layer_coupled
            drawn = layer_statements(formula) if coupled else _elementwise(_plainly(formula))
            for statement in drawn:
                found.append(statement)  # so that what is found in time is kept
    except TooManyPiecesError:
        reason = "more kinks than can be told apart"
    except TimeLimitError:
        reason = "not settled in the time that is allowed"
    except UnsupportedOperationError as error:
        reason = f"bounds of {error} are not known"
    else:
        return Portrait(formula, tuple(found))
    rest = f"no {'more' if found else 'portrait'}: {reason}"
    return Portrait(formula, (*found, Statement("portrait", rest, False)))


def _elementwise(formula: Formula) -> Iterator[Statement]:
    period = periodic_pieces(formula)
    if period is not None:
        return periodic_statements(formula, period)
    return _statements(formula, smooth_pieces(formula))


def _plainly(formula: Formula) -> Formula:
    """Write whole exponents as numbers, powers of numbers by exp, and roots of squares by abs."""
    values = dict(formula.parameters)

    def with_numbers(e: Expression) -> Expression | None:
        match e:
            case Parameter(name) if values[name] == 0:
                return constant(0)
            case Apply("power", (x, exponent)) if parameters_of(exponent):
                if not variables_of(exponent) and (number := evaluate(exponent, values)) % 1 == 0:
                    return Apply("power", (substitute(x, with_numbers), constant(int(number))))
        return None

    def with_exponentials(e: Expression) -> Expression | None:
        match e:
            case Apply("power", (x, exponent)) if variables_of(exponent) and not variables_of(x):
                if evaluate(x, values) > 0:
                    exponent = substitute(exponent, with_exponentials)
                    return Apply("exp", (multiply(exponent, Apply("log", (x,))),))
        return None

    def with_magnitudes(e: Expression) -> Expression | None:
        match e:
            case Apply("sqrt", (Apply("power", (x, Constant(two))),)) if two == _TWO:
                return Apply("abs", (substitute(x, with_magnitudes),))
        return None

    plain = rebuilt(substitute(formula.expression, with_numbers))
    if innermost_branching(plain) is None and all(
        abs(number) <= _LARGEST for number in _numbers_of(plain, values)
    ):
        plain = substitute(plain, with_exponentials)
    return replace(formula, expression=substitute(plain, with_magnitudes))


def _numbers_of(e: Expression, values: dict[str, float]) -> Iterator[Any]:
    for part in subexpressions(e):
        if isinstance(part, Constant):
            yield part.value
        elif isinstance(part, Parameter):
            yield values[part.name]


def _statements(formula: Formula, pieces: Pieces) -> Iterator[Statement]:
    parameters = dict(formula.parameters)
    spans = domain(pieces, parameters)
    if spans is None:
        yield unsettled("domain", "not proved where the function is defined")
        return
    whole = axis(pieces, spans, parameters)
    ends = {e.place: False for span in spans for e in (span.low, span.high)}
    for line in whole.lines:
        for end, edge in enumerate((line.span.low, line.span.high)):
            if edge.breakpoint is not None:
                ends[edge.place] = whole.own_value(edge.breakpoint) is not None
            elif line.is_regular(end, 0):
                ends[edge.place] = True
    yield Statement("domain", written(spans, ends), True)
    if not whole.lines:
        return
    yield from symmetries(whole) + homogeneity(whole)
    repeated = period(whole)
    steepest = None
    if repeated is not None:
        yield Statement("period", str(repeated), True)
        once = one_period(whole, repeated)
        yield from _shape.repeated(once, repeated)
        steepest = _shape.steepest(once)
    else:
        yield from _shape.limits(whole) + asymptotes(whole)
        yield from _shape.extremes(whole)
    joined = joins(whole)
    if repeated is None:
        yield from _shape.monotone(whole, joined)
        yield from _shape.bends(whole, joined)
        yield from _shape.places_of(whole)
        steepest = _shape.steepest(whole)
    breaks = [
        join.jumps
        for join, b in zip(joined, pieces.breakpoints, strict=True)
        if not _is_left_out(b, ends)
    ]
    for join, b in zip(joined, pieces.breakpoints, strict=True):
        if not _is_left_out(b, ends):
            yield from _break(join, b)
    if True in breaks:
        text = "∞: there is no Lipschitz constant, as the function jumps"
        yield Statement("largest slope", text, True, (math.inf, math.inf))
    elif None in breaks:
        yield unsettled("largest slope", "whether the function jumps is not")
    elif steepest is None:
        yield unsettled("largest slope")
    else:
        yield Statement("largest slope", enclosed(steepest), True, steepest)
    if any(jump is not False for jump in breaks):
        steepest = None
    yield from statistics(whole, steepest, jumps=True in breaks or None in breaks)


def _is_left_out(b: Breakpoint, ends: dict[float, bool]) -> bool:
    """Tell whether the domain ends at a breakpoint, or leaves it out: nothing jumps there."""
    return b.place in ends and (b.is_end_of_domain or not ends[b.place])


def _break(join: Join, b: Breakpoint) -> list[Statement]:
    """State how a function jumps or bends at a breakpoint."""
    where = f"at z = {place(b.place)}"
    if join.jumps:
        before, after = (number(side) for side in join.values)
        text = (
            f"{where}: from {before} on the left to {after} on the right, {number(join.own)} there"
        )
        return [Statement("jump", text, True)]
    if join.jumps is None:
        return [Statement("jump", f"{where}: not settled whether there is one", False)]
    if join.turn or b.is_kink:
        text = f"{where}: slopes {' and '.join(number(side) for side in join.slopes)}"
        if not math.isnan(b.slope):  # too large to be told from one that is undefined
            text += f", taken {place(b.slope)}"
        return [Statement("kink", text, bool(join.turn))]
    return []


def _status(statement: Statement) -> str:
    if statement.proved:
        return "proved"
    return "computed" if statement.subject in _COMPUTED else "not settled"
