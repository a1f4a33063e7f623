"""The forms of several pieces as one: the output tells on which piece it was taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, inf, isfinite
from typing import Any

import mpmath

from chainrule.derivations._evaluate import evaluate
from chainrule.derivations.algebra._arithmetic import size
from chainrule.derivations.algebra._sympy import Translation, attempt
from chainrule.derivations.output_forms._output_form import OutputForm, forms_of_pieces
from chainrule.derivations.output_forms._repeated_forms import witness_in_time, witness_near_zero
from chainrule.derivations.output_forms._witness import Branch, sample
from chainrule.derivations.pieces._pieces import (
    Breakpoint,
    Pieces,
    TooManyPiecesError,
    differentiate,
    smooth_pieces,
)
from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Variable,
    constant,
    substitute,
)

_A, _Z = Variable("a"), Variable("z")
_SECONDS = 1.2
_DIGITS = 30
_FAR = (Fraction(10) ** 9, Fraction(10) ** 30)
_LARGEST_DENOMINATOR = 1000  # of a number between the outputs of two pieces


class NotJoinedError(Exception):
    """The output does not tell which slope holds, or is not known to."""


@dataclass(frozen=True)
class _Part:
    """A piece, its form, between what its outputs lie, and one of its places."""

    index: int
    form: Expression
    low: Any
    high: Any
    somewhere: float


def joined(formula: Formula, pieces: Pieces, forms: Mapping[int, Expression]) -> Expression:
    """Return the slope in the output, with ``where`` between the forms of pieces.

    Parameters
    ----------
    formula : Formula
        Element-wise.
    pieces : Pieces
        Of it.
    forms : mapping of int to Expression
        The forms in `a`, by the indices of the pieces on which the formula has a value.

    Raises
    ------
    NotJoinedError
        Where one output belongs to several pieces, or to places, with different slopes.
    """
    if len(forms) == 1:
        return next(iter(forms.values()))
    refuse_with_witness(formula, pieces)
    parts = _parts(formula, pieces, forms)
    _refuse_where_level(formula, pieces, parts)
    is_one = len(set(forms.values())) == 1
    result = parts[0].form if is_one else _by_outputs(formula, pieces, parts)
    for k in range(len(pieces.breakpoints)):
        if {k, k + 1} <= set(forms):
            result = _with_own_slope(formula, pieces, k, parts, result)
    return result


def joined_form(formula: Formula) -> Expression | None:
    """Return the slope of an element-wise formula in its output; None where it is refused."""
    try:
        pieces = smooth_pieces(formula)
        found = dict(enumerate(forms_of_pieces(pieces, dict(formula.parameters))))
        forms = {k: form.derivative for k, form in found.items() if isinstance(form, OutputForm)}
        return joined(formula, pieces, forms) if len(forms) == len(found) else None
    except (TooManyPiecesError, NotJoinedError):
        return None


def refuse_with_witness(formula: Formula, pieces: Pieces | None) -> None:
    """Raise where two places, on whichever pieces, share their output and not their slope."""
    if pieces is None:
        witness = witness_near_zero(formula)
    else:
        edges = [-inf, *(b.place for b in pieces.breakpoints), inf]
        branches = list(map(Branch, pieces.pieces, edges[:-1], edges[1:]))
        witness = witness_in_time(branches, dict(formula.parameters))
    if witness is not None:
        raise NotJoinedError(f"{witness}: the output does not tell which slope holds")


def refuse_without_forms(formula: Formula, pieces: Pieces | None, defined: Collection[int]) -> None:
    """Raise where places share their output and not their slope, whatever the pieces' forms.

    Parameters
    ----------
    formula : Formula
        Element-wise.
    pieces : Pieces or None
        Of it; None where they are too many.
    defined : collection of int
        The indices of the pieces on which the formula has a value.
    """
    refuse_with_witness(formula, pieces)
    if pieces is not None:
        slopes = {k: pieces.pieces[k].derivative for k in defined}
        _refuse_where_level(formula, pieces, _parts(formula, pieces, slopes))


def _refuse_where_level(formula: Formula, pieces: Pieces, parts: list[_Part]) -> None:
    """Raise where a slope other than 0 is taken at a kink with the output of a level piece."""
    for at in pieces.breakpoints:
        output = _output_at(formula, at)
        for part in parts:
            is_there = part.low == part.high and _agree(part.low, output)
            if is_there and not _agree(mpmath.mpf(0), mpmath.mpf(at.slope)):
                raise NotJoinedError(
                    f"f({at.place:g}) = f({part.somewhere:g}) = {float(output):.6g}, with slopes "
                    f"{at.slope:.4g} and 0: the output does not tell which slope holds"
                )


def _output_at(formula: Formula, at: Breakpoint) -> Any:
    values = dict(formula.parameters)
    with mpmath.workdps(_DIGITS):
        place = evaluate(at.location, values)
        return evaluate(formula.expression, {**values, "z": place})


def _parts(formula: Formula, pieces: Pieces, forms: Mapping[int, Expression]) -> list[_Part]:
    values = dict(formula.parameters)
    assert pieces is not None
    edges = [-inf, *(b.place for b in pieces.breakpoints), inf]
    branches = {k: Branch(pieces.pieces[k], edges[k], edges[k + 1]) for k in sorted(forms)}
    return [_part(k, forms[k], branch, values) for k, branch in branches.items()]


def _part(k: int, form: Expression, branch: Branch, values: Mapping[str, float]) -> _Part:
    far = [s * x for x in _FAR for s in (1, -1) if branch.low < s * x < branch.high]
    with mpmath.workdps(_DIGITS):
        outputs = [
            evaluate(
                branch.piece.expression, {**values, "z": mpmath.mpf(z.numerator) / z.denominator}
            )
            for z in (*sample(branch.low, branch.high), *far)
        ]
    known = [a for a in outputs if not mpmath.isnan(a)]
    if not known:
        raise NotJoinedError("a piece has no value at the places tested")
    inside = sample(branch.low, branch.high)
    return _Part(k, form, min(known), max(known), float(inside[len(inside) // 2]))


def _by_outputs(formula: Formula, pieces: Pieces, parts: list[_Part]) -> Expression:
    """Order the pieces by their outputs, which must not overlap."""
    ordered = sorted(parts, key=lambda part: (part.low, part.high))
    if any(lower.high > upper.low for lower, upper in pairwise(ordered)):
        flat = [part for part in ordered if part.low == part.high]
        rest = [part for part in ordered if part.low != part.high]
        if not flat or not rest:
            raise NotJoinedError("the same output belongs to several pieces")
        result = _by_outputs(formula, pieces, rest)
        for part in flat:
            here = Apply("equal", (_A, pieces.pieces[part.index].expression))
            result = Apply("where", (here, part.form, result))
        return result
    result = ordered[-1].form
    for lower, upper in reversed(list(pairwise(ordered))):
        if lower.form == upper.form and result == upper.form:
            continue
        sign, threshold = _boundary(formula, pieces, lower, upper)
        result = Apply("where", (Apply(sign, (_A, threshold)), lower.form, result))
    return result


def _boundary(
    formula: Formula, pieces: Pieces, lower: _Part, upper: _Part
) -> tuple[str, Expression]:
    """Return the comparison that holds for the outputs of the lower of two pieces."""
    if abs(lower.index - upper.index) == 1:
        at = pieces.breakpoints[min(lower.index, upper.index)]
        threshold = _value_at(formula, pieces, at)
        with mpmath.workdps(_DIGITS):
            number = evaluate(threshold, dict(formula.parameters))
        if lower.high <= number <= upper.low:
            belongs = at.slope_from == ("left" if lower.index < upper.index else "right")
            if at.slope_from == "own":
                with mpmath.workdps(_DIGITS):
                    known = {**dict(formula.parameters), "a": number}
                    told = [evaluate(part.form, known) for part in (lower, upper)]
                    belongs = [_agree(x, mpmath.mpf(at.slope)) for x in told] == [True, False]
            return "less_equal" if belongs else "less", threshold
    return "less", _between(lower.high, upper.low)


def _value_at(formula: Formula, pieces: Pieces, at: Breakpoint) -> Expression:
    """Return the output at a breakpoint, exact where its place is."""
    k = pieces.breakpoints.index(at)
    owners = {"left": pieces.pieces[k].expression, "right": pieces.pieces[k + 1].expression}
    return _at_place(formula, owners.get(at.value_from, at.value), at)


def _slope_at(formula: Formula, pieces: Pieces, at: Breakpoint) -> Expression:
    """Return the slope taken at a breakpoint, exact where an expression for it is known."""
    k, values = pieces.breakpoints.index(at), dict(formula.parameters)
    own = Fraction(at.slope)
    sides = (pieces.pieces[k], pieces.pieces[k + 1])
    slopes = (differentiate(at.value), *(piece.derivative for piece in sides))
    if own.denominator > _LARGEST_DENOMINATOR:
        for slope in (_at_place(formula, slope, at) for slope in slopes):
            if _agree(evaluate(slope, values), mpmath.mpf(at.slope)):
                return slope
    return constant(own)


def _at_place(formula: Formula, e: Expression, at: Breakpoint) -> Expression:
    """Return an expression at a breakpoint, written shortly."""
    there: dict[Expression, Expression] = {_Z: at.location}
    value = substitute(e, there.get)
    translation = Translation()
    for name, number in formula.parameters:
        translation.symbol(Parameter(name), positive=True if number > 0 else None)
    short = attempt(_SECONDS, lambda: translation.to_expression(translation.to_sympy(value)), value)
    return short if size(short) <= size(value) else value


def _between(low: Any, high: Any) -> Constant:
    """Return the shortest fraction between what two pieces give out."""
    for denominator in range(1, _LARGEST_DENOMINATOR + 1):
        above = ceil(Fraction(*_exact(low)) * denominator) if isfinite(low) else None
        if above is None:
            break
        candidate = Fraction(above, denominator)
        if candidate <= Fraction(*_exact(high)):
            return constant(candidate)
    raise NotJoinedError("the outputs of two pieces could not be told apart")


def _exact(x: Any) -> tuple[int, int]:
    """Return a number of many digits as a quotient."""
    sign, mantissa, exponent, _ = mpmath.mpf(x)._mpf_
    whole = -int(mantissa) if sign else int(mantissa)
    return (whole << exponent, 1) if exponent >= 0 else (whole, 1 << -exponent)


def _agree(x: Any, y: Any) -> bool:
    return bool(abs(x - y) <= mpmath.mpf(10) ** -12 * (1 + abs(y)))


def _with_own_slope(
    formula: Formula, pieces: Pieces, k: int, parts: list[_Part], result: Expression
) -> Expression:
    """Take the slope of a breakpoint itself at its output, where it is that of neither side."""
    at = pieces.breakpoints[k]
    values = dict(formula.parameters)
    with mpmath.workdps(_DIGITS):
        output = _output_at(formula, at)
        slope = mpmath.mpf(at.slope)
        if not mpmath.isfinite(output):
            return result  # no place of the formula
        told = evaluate(result, {**values, "a": output})
        if _agree(told, slope):
            return result
        if at.left_slope == at.right_slope and mpmath.isinf(slope) and not mpmath.isfinite(told):
            return result  # the slope grows without bound on either side, as the form does
        if not mpmath.isfinite(slope):
            raise NotJoinedError(f"no slope is defined at the kink z = {at.place:g}")
        for part in parts:
            if part.low < output < part.high:
                there = evaluate(part.form, {**values, "a": output})
                if not _agree(there, slope):
                    raise NotJoinedError(
                        f"the slope taken at the kink z = {at.place:g}, {at.slope:g}, is not that "
                        "of other places with its output"
                    )
    condition = Apply("equal", (_A, _value_at(formula, pieces, at)))
    return Apply("where", (condition, _slope_at(formula, pieces, at), result))
