"""Element-wise formulas cut at their kinks: pieces, owners, slopes."""

from __future__ import annotations

import math

import mpmath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.catalogue.definitions import ELEMENTWISE as DEFINITIONS
from tests.formulas.language import (
    PARAMETERS,
    UndefinedError,
    bracketed,
    central_difference,
    elementwise,
    value_at,
)

import chainrule
from chainrule.catalogue import activation_formula, activations
from chainrule.derivations import TooManyPiecesError, smooth_pieces
from chainrule.derivations.pieces import _crossings
from chainrule.formulas import Formula, parse, to_text

ELEMENTWISE = [e.name for e in activations() if not activation_formula(e.name).is_layer_coupled]
PLACE_LISTS = st.lists(st.integers(-600, 600).map(lambda k: k / 100), min_size=6, max_size=6)
PLACES = [
    *(mpmath.mpf(k) / 7 for k in range(-40, 41)),
    *(sign * mpmath.mpf(10) ** k for k in (-9, -6, -3, 1, 2, 4, 5, 6, 8) for sign in (1, -1)),
]


def pieces_of(text: str, **parameters: float):
    return smooth_pieces(parse(text, parameters))


def check(formula: Formula, places=PLACES, *, at_breakpoints: bool = True) -> int:
    """Compare values and slopes of the pieces with the formula; count the places compared."""
    found = smooth_pieces(formula)
    assert len(found.pieces) == len(found.breakpoints) + 1
    edges = [b.place for b in found.breakpoints]
    assert edges == sorted(set(edges))
    values = dict(formula.parameters)
    compared = 0

    def function(z):
        return value_at(formula.expression, z, values)

    with mpmath.workdps(90):
        for place in map(mpmath.mpf, places):
            if any(abs(place - edge) < 1e-7 * (1 + abs(edge)) for edge in edges):
                continue
            piece = found.pieces[sum(place > edge for edge in edges)]
            try:
                wanted = function(place)
                slope = central_difference(function, place)
                sides = [central_difference(function, place + h) for h in (-1e-12, 1e-12)]
                piece_value = value_at(piece.expression, place, values)
                piece_slope = value_at(piece.derivative, place, values)
            except (UndefinedError, OverflowError):
                continue
            if abs(sides[0] - sides[1]) > 1e-6 * (1 + abs(slope)):
                continue  # a jump or a kink of a scale that floats do not resolve
            assert abs(piece_value - wanted) <= mpmath.mpf(10) ** -40 * (1 + abs(wanted)), place
            assert abs(piece_slope - slope) <= mpmath.mpf(10) ** -18 * (1 + abs(slope)), place
            compared += 1
        if at_breakpoints:
            for b in found.breakpoints:
                place = value_at(b.location, 0, values)
                assert abs(place - mpmath.mpf(b.place)) <= 1e-14 * (1 + abs(place))
                if place != mpmath.mpf(b.place):
                    continue  # an irrational place is on one side of itself when rounded
                try:
                    here = function(mpmath.mpf(b.place))
                except UndefinedError:
                    continue
                got = value_at(b.value, mpmath.mpf(b.place), values)
                assert abs(got - here) <= 1e-12 * (1 + abs(here)), b.place
    return compared


# -- the catalogue ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_named_functions_are_cut_where_their_slope_jumps_and_nowhere_else(name):
    """Kinks are those of the definition; joins such as that of CELU are no kinks."""
    formula = activation_formula(name)
    found = smooth_pieces(formula)
    kinks = tuple(b.place for b in found.breakpoints if b.is_kink)
    assert kinks == DEFINITIONS[name].kinks
    assert check(formula) > 60


@pytest.mark.parametrize("text", ["max(0, z)", "max(z, 0)", "where(z > 0, z, 0)", "(z + abs(z))/2"])
def test_the_slope_of_the_relu_at_zero_is_zero_however_it_is_written(text):
    """I(z > 0) is 0 at the kink; for abs the language takes sign(0) = 0, so half the slope."""
    (kink,) = pieces_of(text).breakpoints
    assert (kink.place, kink.left_slope, kink.right_slope) == (0.0, 0.0, 1.0)
    assert kink.is_kink
    assert kink.slope == (0.5 if "abs" in text else 0.0)


def test_where_includes_equality_where_it_says_so():
    """where(z >= 0, z, 0) takes the slope of z at 0."""
    (kink,) = pieces_of("where(z >= 0, z, 0)").breakpoints
    assert (kink.slope, kink.slope_from, kink.value_from) == (1.0, "right", "right")
    (kink,) = pieces_of("where(z <= 0, 0, z)").breakpoints
    assert (kink.slope, kink.slope_from) == (0.0, "left")
    (kink,) = pieces_of("where(z < 0, 0, z)").breakpoints
    assert (kink.slope, kink.slope_from) == (1.0, "right")


def test_the_slope_of_abs_at_zero_is_zero():
    """It belongs to neither side."""
    (kink,) = pieces_of("abs(z)").breakpoints
    assert (kink.left_slope, kink.slope, kink.right_slope) == (-1.0, 0.0, 1.0)
    assert kink.slope_from == "own"
    (kink,) = pieces_of("3*abs(z - 1/3) + z").breakpoints
    assert (kink.slope, to_text(kink.location)) == (1.0, "1/3")


@pytest.mark.parametrize("alpha", [1.0, 0.5, 3.0])
def test_the_celu_joins_smoothly_with_slope_one(alpha):
    """Its max and min both tie at 0; the slopes of the two sides agree, so that one is taken."""
    (join,) = smooth_pieces(activation_formula("celu", alpha=alpha)).breakpoints
    assert (join.place, join.slope) == (0.0, 1.0)
    assert not join.is_kink


def test_the_softsign_and_other_smooth_uses_of_abs_are_smooth():
    """abs(z)*z, z/(1 + abs(z)), Huber's join at 1."""
    for text in (
        "z/(1 + abs(z))",
        "abs(z)*z",
        "where(abs(z) < 1, z**2/2, abs(z) - 1/2)",
        "abs(z)**3",
    ):
        found = pieces_of(text)
        assert found.breakpoints
        assert not any(b.is_kink for b in found.breakpoints), text
    slopes = {
        b.place: b.slope for b in pieces_of("where(abs(z) < 1, z**2/2, abs(z) - 1/2)").breakpoints
    }
    assert slopes == {-1.0: -1.0, 1.0: 1.0}


def test_a_removable_point_has_its_value_and_slope():
    """sin(z)/z with 1 at 0: the value is its own, the slope is the limit."""
    (point,) = pieces_of("where(z == 0, 1, sin(z)/z)").breakpoints
    assert point.place == 0.0
    assert point.value_from == "own"
    assert to_text(point.value) == "1"
    assert abs(point.slope) < 1e-12
    assert not point.is_kink


def test_a_value_of_its_own_at_one_place_is_kept():
    """where(z == 1, 5, z) is 5 at 1, though no slope changes."""
    (point,) = pieces_of("where(z == 1, 5, z)").breakpoints
    assert (point.value_from, to_text(point.value)) == ("own", "5")
    assert pieces_of("where(z != 1, z, 1)").breakpoints == ()


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("max(0, min(1, z/6 + 1/2))", [-3.0, 3.0]),
        ("abs(abs(abs(z) - 1) - 1/2)", [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]),
        ("max(z**2 - 3*z + 2, 0)", [1.0, 2.0]),
        ("where(z**2 > 2, z, 0)", [-math.sqrt(2), math.sqrt(2)]),
        ("max(z, pi)", [math.pi]),
        ("max(z, exp(z) - 2)", None),
        ("max(z**3, z)", [-1.0, 0.0, 1.0]),
        ("where(z > 1e20, z, 0)", [1e20]),
        ("where(z > 1e-20, z, 0)", [1e-20]),
        ("sign(z)*sqrt(abs(z))", [0.0]),
        ("max(tanh(z), 0.9999999999)", [11.859499055225202]),
        ("where(z > 0, where(z < 1, z, 1), 0)", [0.0, 1.0]),
        ("max(abs(z), abs(z - 1))", [0.5]),
        ("max(z, z)", []),
        ("max(z**2 + 1, 0)", []),
        ("1/abs(z)", [0.0]),
        ("abs(z)**-2", [0.0]),
        ("abs(log(abs(z)))", [-1.0, 0.0, 1.0]),
        ("max(1/z, 0)", [0.0]),
        ("abs(1/z)", [0.0]),
        ("where(1/z > 0, z, 2*z)", [0.0]),
        ("sign(1/z)*z", [0.0]),
        ("max(sqrt(exp(z)), log(1 + exp(z)))", []),
        ("max(sqrt(1 + exp(z)), log(2 + exp(z)))", []),
        ("max(exp(exp(z)), exp(exp(z) - 1))", []),
        ("max(z, log(1 + exp(z)) - log(2))", [0.0]),
        ("min(z, log(1 + exp(z)) - 1)", [-math.log(math.e - 1)]),
        ("max(z**2/10**9, log(sqrt(exp(2*z) + 1)))", None),
        ("abs(log(1 + exp(z)) - z - 1/2)", [-math.log(math.sqrt(math.e) - 1)]),
        ("max(log(exp(z)/(1 + exp(z))), -5)", [-math.log(math.expm1(5))]),
    ],
)
def test_cuts_lie_where_the_compared_values_meet(text, places):
    """Wherever a comparison changes, poles included, and the pieces have the formula's values."""
    found = pieces_of(text)
    if places is not None:
        assert [b.place for b in found.breakpoints] == pytest.approx(places, rel=1e-15, abs=0)
    assert check(parse(text)) > 20


@pytest.mark.parametrize(
    "text",
    [
        "min(sqrt(z**2 + 1), 1e6)",
        "min(sqrt(abs(z)), 1000)",
        "max(z - 1e5, sqrt(z**2 + 1) - 2e5)",
        "abs(log(abs(z) + 1) - 20)",
        "max(sin(z), 0.999)",
        "max(sin(z)*(sin(z) - 0.05), 0)",
        "max(tanh(z)*(tanh(z) - 0.05), 0)",
        "max(sin(z), 0)",
        "where(sin(50*z) > 0, z, 0)",
    ],
)
def test_a_formula_whose_cuts_are_not_all_found_is_not_cut(text):
    """Either every piece has the formula's values, or the formula is said to have too many."""
    try:
        check(parse(text))
    except TooManyPiecesError:
        return


@pytest.mark.parametrize(
    "text", ["where(sin(z) > 0, z, 0)", "abs(sin(z))", "max(sin(20*z), cos(z))"]
)
def test_formulas_with_endless_kinks_are_said_to_have_too_many(text, monkeypatch):
    """Not an endless search: the kinks are counted before the first is looked for."""
    monkeypatch.setattr(_crossings, "bisected", lambda *_: pytest.fail("a kink was looked for"))
    with pytest.raises(TooManyPiecesError):
        pieces_of(text)


def test_locations_hold_the_parameters():
    """A kink of a linear comparison is exact, in the parameters' names."""
    (kink,) = pieces_of("max(alpha*z - beta, z)", alpha=0.25, beta=1.5).breakpoints
    assert kink.place == -2.0
    with mpmath.workdps(50):
        got = value_at(kink.location, 0, {"alpha": 0.5, "beta": 1.0})
        assert abs(got + 2) < 1e-45
    assert [to_text(p.expression) for p in pieces_of("max(alpha*z, z)", alpha=0.1).pieces] == [
        "alpha*z", "z",
    ]  # fmt: skip
    assert [to_text(p.expression) for p in pieces_of("max(alpha*z, z)", alpha=2.0).pieces] == [
        "z", "alpha*z",
    ]  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=50, suppress_health_check=list(HealthCheck))
@given(elementwise(leaves=6), PLACE_LISTS)
def test_the_pieces_of_any_formula_have_its_values_and_its_slopes(expression, places):
    """Random formulas with kinks: between the cuts the derivative is the central difference."""
    text = bracketed(expression)
    formula = parse(text, {name: v for name, v in PARAMETERS.items() if name in text})
    try:
        check(formula, places, at_breakpoints=False)
    except TooManyPiecesError:
        return


def test_a_slope_that_grows_without_bound_is_infinite():
    """The root's slope left of 0, and no stand-in for it."""
    (at,) = pieces_of("where(z > 0, z, sqrt(-z))").breakpoints
    assert (at.left_slope, at.right_slope) == (-math.inf, 1.0)
    assert at.is_kink
    assert at.slope == -math.inf


@pytest.mark.parametrize("tail", ["log(1 + erf(z))", "log(1 + tanh(z))"])
def test_tails_do_not_end_where_digits_do(tail):
    """1 + erf(-12) is 1e-64, not 0, of which there would be no logarithm."""
    found = smooth_pieces(parse(f"max({tail}, 1/sqrt(1 + z**2))"))
    assert [0 < b.place < 3 for b in found.breakpoints] == [True]


def test_a_kink_of_a_quotient_is_where_its_numbers_say() -> None:
    """Not at the nearest double: -0.49 is none, where the parameters are 0.5 and 0.01."""
    found = pieces_of("z*max(0, 1 - lam/(abs(z) + eps))", lam=0.5, eps=0.01)
    assert [to_text(b.location) for b in found.breakpoints] == ["eps - lam", "lam - eps"]
    ends = pieces_of("max(0, 1/z - 1)")
    assert [b.place for b in ends.breakpoints] == [0, 1]
    assert not pieces_of("where(1/z**2 > 0, z, 1)").breakpoints


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("max(z/(1 + exp(-z)), z)", [(0, 1 / 2, 1)]),
        ("max(z*tanh(exp(z)), z)", [(0, math.tanh(1), 1)]),
        ("min(log(1 + exp(z)), z)", []),
        ("max(exp(-1/z**2), 0)", []),
        ("max(1/z, exp(z))", [(0, 1, -math.inf), (0.5671432904, -3.1089547636, 1.7632228344)]),
    ],
)
def test_sides_that_draw_near_without_meeting_make_no_kink(text, sides):
    """Equal to all digits far out, or below the smallest exponentials, is not crossing."""
    found = [(b.place, b.left_slope, b.right_slope) for b in pieces_of(text).breakpoints]
    assert found == [pytest.approx(kink) for kink in sides]


def test_sides_too_small_to_be_compared_do_not_change_places():
    """The exponential of a square is below that of a line, also where neither can be had."""
    pieces = pieces_of("max(z/2*(1 + erf(z/sqrt(2))), z/(1 + exp(-1.702*z)))")
    assert [b.place for b in pieces.breakpoints] == pytest.approx([-1.2116781407, 1.2116781407])
    assert to_text(pieces.pieces[0].expression) == "z/2*(1 + erf(z/sqrt(2)))"


@pytest.mark.parametrize(
    ("text", "slope"),
    [
        ("sqrt(abs(z))", 0), ("sqrt(z**2 + abs(z))", 0), ("(z**2)**(1/3)", 0),
        ("-(z**2)**(1/3)", 0), ("z + sqrt(abs(z))", 1), ("z + (z**2)**(1/3)", 1),
        ("exp(2*z) + sqrt(z**2 + abs(z))", 2),
    ],
)  # fmt: skip
def test_at_a_cusp_the_mean_of_the_slopes_beside_it_is_taken(text, slope):
    """As of abs, whose sign is 0 there; by differences over ever shorter steps to both sides."""
    (cusp,) = pieces_of(text).breakpoints
    assert cusp.slope == slope
    expression = parse(text).expression
    with mpmath.workdps(90):
        step = mpmath.mpf(10) ** -60
        above, below = (value_at(expression, side * step) for side in (1, -1))
        assert abs((above - below) / (2 * step) - slope) < 1e-20
    assert chainrule.activation(text).backward([1.0], [0.0]) == slope


def test_at_a_cusp_that_a_branch_owns_its_slope_is_taken():
    (cusp,) = pieces_of("where(z <= 0, sqrt(-z), sqrt(z))").breakpoints
    assert cusp.slope == -math.inf
