"""What a derivation says, checked against differences in mpmath alone.

Every check returns how many comparisons it made; places where the formula is undefined, where the
differences themselves are not settled, or where a kink lies are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import mpmath
from tests.formulas.language import TooLargeError, UndefinedError, layer_values

from chainrule.derivations import Derivation, NoOutputForm, Witness
from chainrule.derivations.costs._cost_derivation import CostDerivation
from chainrule.formulas import Apply, Constant, Expression, Formula, Variable, subexpressions

PLACES = ("-19.7", "-6.13", "-0.87", "-0.01", "0.29", "0.83", "2.71", "17.3")
DIGITS = [150, 700]  # an oracle is believed where both agree
MORE_DIGITS = [900, 5000]  # what contradicts it, where these agree too
TOLERANCE = mpmath.mpf(10) ** -30
LARGEST = mpmath.mpf(10) ** 400
ERRORS = (UndefinedError, OverflowError, ZeroDivisionError)
ZERO = Constant(Fraction(0))
BRANCHING = ("where", "maximum", "minimum", "abs", "sign")


class UnsettledError(Exception):
    """The differences do not tell: a kink, a jump, or not enough digits."""


def close(x: Any, y: Any, tolerance: Any = TOLERANCE) -> bool:
    """Tell whether two numbers agree, relative to their size and to one."""
    return bool(abs(x - y) <= tolerance * (1 + abs(y)))


def slope_of(function: Callable[[Any], Any], place: Any) -> Any:
    """Return a derivative to more than thirty digits, or raise."""
    found = []
    for digits in DIGITS:
        with mpmath.workdps(digits):
            step = mpmath.mpf(10) ** -(digits // 3) * (1 + abs(place))
            here = function(place)
            above, below = function(place + step), function(place - step)
            up, down = (above - here) / step, (here - below) / step
            if max(abs(here), abs(up), abs(down)) > LARGEST:
                raise UnsettledError
            found.append((up + down) / 2)
            if not close(up, down, mpmath.mpf(10) ** -(digits // 6)):
                raise UnsettledError
    if not close(found[0], found[1], TOLERANCE / 1000):
        raise UnsettledError
    return found[1]


def bend_of(function: Callable[[Any], Any], place: Any) -> Any:
    """Return a second derivative to more than thirty digits, or raise."""
    found = []
    slope_of(function, place)
    for digits in DIGITS:
        with mpmath.workdps(digits):
            step = mpmath.mpf(10) ** -(digits // 4)
            values = [function(place + k * step) for k in (-1, 0, 1, 2)]
            bends = [(values[k] - 2 * values[k + 1] + values[k + 2]) / step**2 for k in (0, 1)]
            if abs(bends[0]) > LARGEST or not close(*bends, mpmath.mpf(10) ** -(digits // 8)):
                raise UnsettledError
            found.append(bends[0])
    if not close(found[0], found[1], TOLERANCE / 1000):
        raise UnsettledError
    return found[1]


def at(e: Expression, values: Mapping[str, float], **variables: Any) -> Any:
    """Return an expression's value at numbers for its variables."""
    return layer_values(e, {name: [mpmath.mpf(x)] for name, x in variables.items()}, values)[0]


def written_value(e: Expression, values: Mapping[str, float], **variables: Any) -> Any:
    """Return what a derivation writes, where the formula itself is defined."""
    with mpmath.workdps(DIGITS[1]):
        return at(e, values, **variables)


def settled_places(
    e: Expression, values: Mapping[str, float], places: Sequence[Any]
) -> list[tuple[Any, Any, Any]]:
    """Return (place, value, slope) wherever the oracle settles them."""
    found = []
    for place in places:
        z = mpmath.mpf(place)
        try:
            slope = slope_of(lambda t: at(e, values, z=t), z)
            with mpmath.workdps(DIGITS[1]):
                value = at(e, values, z=z)
        except (UnsettledError, *ERRORS):
            continue
        found.append((z, value, slope))
    return found


# -- element-wise ---------------------------------------------------------------------------------


def check_steps(derivation: Derivation, settled: Sequence[tuple[Any, Any, Any]]) -> int:
    """Check that the last step, ∂a/∂z written in z, is the slope."""
    values = dict(derivation.formula.parameters)
    last = derivation.steps[-1]
    count = 0
    for z, _, slope in settled:
        try:
            got = written_value(last.in_variables, values, z=z)
        except TooLargeError:
            continue
        except ERRORS:
            raise AssertionError(f"∂a/∂z is undefined at {z}") from None
        assert close(got, slope), ("∂a/∂z", mpmath.nstr(z), mpmath.nstr(got), mpmath.nstr(slope))
        count += 1
    return count


def check_pieces(derivation: Derivation, settled: Sequence[tuple[Any, Any, Any]]) -> int:
    """Check value and slope of each piece between the kinks that are stated."""
    if derivation.pieces is None:
        return 0
    values = dict(derivation.formula.parameters)
    count = 0
    for z, value, slope in settled:
        k = sum(b.place < z for b in derivation.pieces.breakpoints)
        piece = derivation.pieces.pieces[k]
        what = (k, mpmath.nstr(z))
        try:
            assert close(written_value(piece.expression, values, z=z), value), ("value", *what)
            got = written_value(piece.derivative, values, z=z)
        except TooLargeError:
            continue
        except ERRORS:
            raise AssertionError(f"piece {k} is undefined at {z}") from None
        assert close(got, slope), ("slope", *what, mpmath.nstr(got), mpmath.nstr(slope))
        count += 1
    return count


def check_output_forms(derivation: Derivation, settled: Sequence[tuple[Any, Any, Any]]) -> int:
    """D(a) is the slope, and so is the form through a and z."""
    if derivation.pieces is None:
        return 0
    values = dict(derivation.formula.parameters)
    count = 0
    for z, value, slope in settled:
        k = sum(b.place < z for b in derivation.pieces.breakpoints)
        form = derivation.output_forms[k]
        if isinstance(form, NoOutputForm):
            form = form.through_preactivation
            if form is None or z == 0:
                continue
        try:
            got = written_value(form.derivative, values, a=value, z=z)
        except TooLargeError:
            continue
        except ERRORS:
            if abs(slope) > mpmath.mpf(10) ** -30:
                raise AssertionError(f"the form through the output is undefined at {z}") from None
            continue
        assert close(got, slope), ("form", mpmath.nstr(z), mpmath.nstr(got), mpmath.nstr(slope))
        count += 1
    return count


def check_witnesses(e: Expression, derivation: Derivation) -> int:
    """Check that two places with one output have slopes that differ."""
    values = dict(derivation.formula.parameters)
    count = 0
    for form in derivation.output_forms:
        if isinstance(form, NoOutputForm) and form.witness is not None:
            try:
                check_witness(e, values, form.witness)
            except (UnsettledError, *ERRORS):
                continue  # the formula compares what is undefined there
            count += 1
    return count


def check_witness(e: Expression, values: Mapping[str, float], witness: Witness) -> None:
    """Recompute a witness: the second interval holds a place with the output of the first."""

    def number(x: Fraction) -> Any:
        return mpmath.mpf(x.numerator) / x.denominator

    with mpmath.workdps(60):
        first, (low, high) = number(witness.first), map(number, witness.second)
        output = at(e, values, z=first)
        ends = [at(e, values, z=end) - output for end in (low, high)]
        assert ends[0] * ends[1] <= 0, "the output is not taken in the second interval"
        assert abs(high - low) < 1e-20 * (1 + abs(low))
    slopes = [slope_of(lambda t: at(e, values, z=t), place) for place in (first, low)]
    assert abs(slopes[0] - slopes[1]) > mpmath.mpf(10) ** -25 * max(map(abs, slopes))
    for stated, slope in zip(witness.slopes, slopes, strict=True):
        assert abs(stated - slope) <= 1e-9 * (1e-300 + abs(slope))


def compared(e: Apply, values: Mapping[str, float], z: Any) -> tuple[Any, bool]:
    """Return the difference on which a choice rests, and whether it is zero but for rounding."""
    sides = e.arguments[0].arguments if e.operation == "where" else e.arguments
    x = [at(side, values, z=z) for side in sides] + [mpmath.mpf(0)]
    return x[0] - x[1], abs(x[0] - x[1]) <= mpmath.mpf(10) ** -(DIGITS[1] - 60) * abs(x[0])


def resolved(e: Expression, values: Mapping[str, float], z: Any, ties: list[Apply]) -> Expression:
    """Take the branch of every choice at a place; note those that tie, and use their rules."""
    if not isinstance(e, Apply):
        return e
    if e.operation not in BRANCHING:
        return Apply(e.operation, tuple(resolved(x, values, z, ties) for x in e.arguments))
    difference, is_tie = compared(e, values, z)
    x = e.arguments
    if is_tie and any(Variable("z") in subexpressions(part) for part in x):
        ties.append(e)
    sign = 0 if is_tie else int(mpmath.sign(difference))
    if e.operation == "where":
        holds = at(Apply(x[0].operation, (Variable("d"), ZERO)), {}, d=sign)
        return resolved(x[1] if holds else x[2], values, z, ties)
    if e.operation in ("maximum", "minimum"):
        if sign == 0:
            has_z = [Variable("z") in subexpressions(part) for part in x]
            first = has_z != [True, False]
        else:
            first = (sign > 0) == (e.operation == "maximum")
        return resolved(x[0] if first else x[1], values, z, ties)
    if e.operation == "sign" or sign == 0:
        return Constant(Fraction(sign))
    inner = resolved(x[0], values, z, ties)
    return inner if sign > 0 else Apply("negate", (inner,))


def check_kinks(e: Expression, derivation: Derivation) -> int:
    """Check that a kink's value is the formula's, and its slope that of the documented rule."""
    if derivation.pieces is None:
        return 0
    values, count = dict(derivation.formula.parameters), 0
    for b in derivation.pieces.breakpoints:
        if not isinstance(b.location, Constant):
            continue
        with mpmath.workdps(DIGITS[1]):
            z = mpmath.mpf(b.location.value.numerator) / b.location.value.denominator
        ties: list[Apply] = []
        try:
            with mpmath.workdps(DIGITS[1]):
                own = resolved(e, values, z, ties)
                if not ties:
                    continue  # a rounded root: the kink is near by
                value, got = at(own, values, z=z), at(b.value, values, z=z)
        except ERRORS:
            continue
        assert close(got, value), ("value at kink", mpmath.nstr(z))
        try:
            sides = [side_slope(e, values, z, s) for s in (-1, 1)]
        except (UnsettledError, *ERRORS):
            sides = None
        try:
            taken = slope_of(lambda t, own=own: at(own, values, z=t), z)
        except (UnsettledError, *ERRORS):
            continue
        if sides is not None:
            for stated, true in zip((b.left_slope, b.right_slope), sides, strict=True):
                assert abs(stated - true) <= 1e-9 * (1 + abs(true)), ("side", stated, true)
            if close(sides[0], sides[1], mpmath.mpf(10) ** -12):
                taken = sides[0]
            assert abs(b.slope - taken) <= 1e-9 * (1 + abs(taken)), ("taken", b.slope, taken)
            count += 1
    return count


def side_slope(e: Expression, values: Mapping[str, float], z: Any, side: int) -> Any:
    """Return a one-sided derivative, of a function that may jump at the place itself."""
    found = []
    for digits in DIGITS:
        with mpmath.workdps(digits):
            h = side * mpmath.mpf(10) ** -(digits // 5)
            y = [at(e, values, z=z + k * h) for k in (1, 2, 3)]
            ways = [(-3 * y[0] + 4 * y[1] - y[2]) / (2 * h), (y[1] - y[0]) / h]
            if abs(ways[0]) > LARGEST or not close(*ways, mpmath.mpf(10) ** -20):
                raise UnsettledError
            found.append(ways[0])
    if not close(*found, mpmath.mpf(10) ** -20):
        raise UnsettledError
    return found[1]


def check_second(
    e: Expression, derivation: Derivation, settled: Sequence[tuple[Any, Any, Any]]
) -> int:
    """∂²a/∂z² on each piece, in z and through the output."""
    if derivation.pieces is None:
        return 0
    values = dict(derivation.formula.parameters)
    count = 0
    for z, value, _ in settled:
        k = sum(b.place < z for b in derivation.pieces.breakpoints)
        try:
            bend = bend_of(lambda t: at(e, values, z=t), z)
        except (UnsettledError, *ERRORS):
            continue
        for form in (derivation.second[k].by_preactivation, derivation.second[k].through_output):
            if form is None:
                continue
            try:
                got = written_value(form, values, z=z, a=value)
            except TooLargeError:
                continue
            except ERRORS:
                if form is derivation.second[k].by_preactivation:
                    raise AssertionError(f"∂²a/∂z² is undefined at {z}") from None
                continue
            what = (mpmath.nstr(z), mpmath.nstr(got), mpmath.nstr(bend))
            assert close(got, bend), ("second derivative", *what)
        count += 1
    return count


def check_parameters(e: Expression, derivation: Derivation, layer: Sequence[Any]) -> int:
    """∂a/∂parameter of every unit, wherever moving the parameter tells."""
    values = dict(derivation.formula.parameters)
    units = {"z": [mpmath.mpf(z) for z in layer]}
    count = 0
    for found in derivation.by_parameters:
        for j in range(len(layer)):

            def moved(t: Any, j: int = j, name: str = found.name) -> Any:
                return layer_values(e, units, {**values, name: t})[j]

            try:
                slope = slope_of(moved, mpmath.mpf(values[found.name]))
            except (UnsettledError, *ERRORS):
                continue
            with mpmath.workdps(DIGITS[1]):
                try:
                    a = layer_values(e, units, values)
                    got = layer_values(found.derivative, {**units, "a": a}, values)[j]
                except ERRORS:
                    continue
            assert close(got, slope), (
                f"by {found.name}", mpmath.nstr(layer[j]), mpmath.nstr(got), mpmath.nstr(slope),
            )  # fmt: skip
            count += 1
    return count


# -- layer-coupled, and costs ---------------------------------------------------------------------

LAYERS = (
    (("0.31", "-1.13", "2.27", "0.7"), ("0.9", "-0.4", "1.3", "0.2")),
    (("-3.4", "5.57", "0.124"), ("2", "0", "-3")),
    (("0.75", "-0.53"), ("-1", "1.25")),
    (("1.61",), ("0.7",)),
)


def mpfs(texts: Sequence[str]) -> list[Any]:
    """Return numbers in mpmath."""
    return [mpmath.mpf(x) for x in texts]


def check_product(e: Expression, product: Expression, values: Mapping[str, float]) -> int:
    """∂J/∂z of a layer, for given ∂J/∂a, in whatever way it is written."""
    count = 0
    for layer, seeds in LAYERS:
        z, g = mpfs(layer), mpfs(seeds)
        try:
            wanted = [_by_unit(e, values, z, g, j) for j in range(len(z))]
        except (UnsettledError, *ERRORS):
            continue
        with mpmath.workdps(DIGITS[1]):
            a = layer_values(e, {"z": z}, values)
            try:
                got = layer_values(product, {"a": a, "g": g, "z": z}, values)
            except ERRORS:
                continue  # an indicator times what is undefined elsewhere
        for one, two in zip(got, wanted, strict=True):
            assert close(one, two), ("product", layer, mpmath.nstr(one), mpmath.nstr(two))
        count += 1
    return count


def _by_unit(
    e: Expression, values: Mapping[str, float], z: Sequence[Any], g: Sequence[Any], j: int
) -> Any:
    def weighted(t: Any) -> Any:
        moved = [t if k == j else x for k, x in enumerate(z)]
        a = layer_values(e, {"z": moved}, values)
        return mpmath.fsum(x * y for x, y in zip(g, a, strict=True))

    return slope_of(weighted, z[j])


TARGETS = (("0.5", "0.17", "0.2", "0.13"), ("1", "0", "-1"), ("-0.6", "1.6"), ("0.25",))


def check_cost(activation: Formula, cost: Formula, derivation: CostDerivation) -> int:
    """∂J/∂a and the fused ∂J/∂z, for layers and targets of several sizes."""
    own, others = dict(activation.parameters), dict(cost.parameters)
    parameters = dict((*derivation.activation.parameters, *derivation.cost.parameters))
    fused, count = derivation.fused, 0
    for (layer, _), targets in zip(LAYERS, TARGETS, strict=True):
        z, y = mpfs(layer), mpfs(targets)

        def by_output(t: Any, j: int, a: Sequence[Any], y: Sequence[Any] = y) -> Any:
            moved = [t if k == j else x for k, x in enumerate(a)]
            return layer_values(cost.expression, {"a": moved, "y": y}, others)[0]

        def by_preactivation(t: Any, j: int, z: Sequence[Any] = z, y: Sequence[Any] = y) -> Any:
            moved = [t if k == j else x for k, x in enumerate(z)]
            a = layer_values(activation.expression, {"z": moved}, own)
            return layer_values(cost.expression, {"a": a, "y": y}, others)[0]

        try:
            with mpmath.workdps(DIGITS[1]):
                a = layer_values(activation.expression, {"z": z}, own)
            wanted = [slope_of(lambda t, j=j, a=a: by_output(t, j, a), a[j]) for j in range(len(a))]
            through = [slope_of(lambda t, j=j: by_preactivation(t, j), z[j]) for j in range(len(z))]
        except (UnsettledError, *ERRORS):
            continue
        sides = [(fused.by_output, wanted, "∂J/∂a")]
        if fused.by_preactivation is not None and not fused.assumption:
            sides.append((fused.by_preactivation, through, "∂J/∂z"))
        for form, truth, what in sides:
            with mpmath.workdps(DIGITS[1]):
                known = {"a": a, "y": y, "z": z}
                try:
                    got = layer_values(form, known, parameters)
                except ERRORS:
                    continue
            for one, two in zip(got, truth, strict=True):
                assert close(one, two), (what, layer, mpmath.nstr(one), mpmath.nstr(two))
        count += 1
    return count


def contradicted(check: Callable[[], int]) -> int:
    """Run a check; what fails must fail with many more digits too, where less is cancelled."""
    try:
        return check()
    except AssertionError:
        few = list(DIGITS)
        DIGITS[:] = MORE_DIGITS
        try:
            return check()
        finally:
            DIGITS[:] = few


def check_elementwise(e: Expression, derivation: Derivation) -> int:
    """Check everything that is said of an element-wise formula."""
    settled = settled_places(e, dict(derivation.formula.parameters), PLACES)
    return (
        check_steps(derivation, settled)
        + check_pieces(derivation, settled)
        + check_output_forms(derivation, settled)
        + check_witnesses(e, derivation)
        + check_kinks(e, derivation)
        + check_second(e, derivation, settled)
        + check_parameters(e, derivation, ("-2.3", "0.31", "1.7"))
    )


# -- documents and portraits ----------------------------------------------------------------------


def check_documents(derivation: Any) -> None:
    """Check that a derivation's LaTeX has balanced braces, and that its HTML is well-formed."""
    assert derivation.to_text()
    depth = 0
    for character in re.sub(r"\\[{}]", "", derivation.to_latex()):
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    ElementTree.fromstring(f"<page>{derivation._repr_html_()}</page>")


def check_portrait(e: Expression, portrait: Any, settled: Sequence[tuple[Any, Any, Any]]) -> int:
    """Check that nothing a portrait proves is contradicted by a sample."""
    count = 0
    slack = mpmath.mpf(10) ** -12
    for statement in portrait.statements:
        if not statement.proved or statement.bounds is None:
            continue
        low, high = map(mpmath.mpf, statement.bounds)
        inside = [x for x in settled if low < x[0] < high]
        values, slopes = [x[1] for x in settled], [abs(x[2]) for x in settled]
        word = statement.text.split()[0]
        match statement.subject:
            case "infimum":
                assert all(value >= low - slack * (1 + abs(value)) for value in values), statement
            case "supremum":
                assert all(value <= high + slack * (1 + abs(value)) for value in values), statement
            case "largest slope":
                assert all(slope <= high * (1 + slack) + slack for slope in slopes), statement
            case "monotone":
                sign = {"increasing": 1, "decreasing": -1, "constant": 0}[word]
                wrong = [x for x in inside if (x[2] * sign < 0 if sign else x[2] != 0)]
                assert not wrong, (statement, wrong[0])
            case "convexity":
                sign = {"convex": 1, "concave": -1, "affine": 0}[word]
                steps = list(pairwise(inside))
                wrong = [x for x in steps if sign * (x[1][2] - x[0][2]) < 0]
                assert not wrong, (statement, wrong[0])
            case _:
                continue
        count += 1
    return count
