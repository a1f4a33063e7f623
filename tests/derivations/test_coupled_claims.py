"""What is said of layer-coupled formulas that nobody has named: forms, witnesses and proofs."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import mpmath
import pytest
from tests.cases import some_of
from tests.derivations.oracle import check_product
from tests.formulas.language import UndefinedError, layer_values

from chainrule.derivations import Derivation, backward_graph, derive, evaluate_layer
from chainrule.formulas import Expression, parse, to_text

_OWN = (
    *("z", "tanh(z)", "max(z, 0)", "max(z, z/10)", "exp(z)", "sinh(z)", "z**3", "abs(z)", "z**2"),
    *("log(1 + exp(z))", "1/(1 + exp(-z))", "z + sin(z)/2", "z/(1 + abs(z))", "z*abs(z)"),
    *("where(z > 0, z, exp(z) - 1)", "min(max(z, -1), 1)", "exp(-abs(z))"),
)
_ADDED_UP = ("z", "abs(z)", "z**2", "max(z, 0)", "exp(z)", "tanh(z)", "cosh(z)", "exp(-z**2)")
_OF_SHARED = (
    *("{}", "1 + {}", "sqrt(1 + {}**2)", "exp({})", "1/(1 + {}**2)", "log(2 + {}**2)", "tanh({})"),
    *("{}**2", "{}/2", "2 - {}"),
)
_JOINED = ("({})*({})", "({})/({})", "{} + {}", "{} - ({})", "max({} - ({}), 0)")

_ONCE_WRONG = (
    "abs(z)*sqrt(sum(z**2))",
    "where(z > 0, z - 1, z) + z*mean(abs(z))",
    "max(z, z/10)*z/sqrt(mean(z**2) + 1/10)",
    "exp(z)/sum(exp(z))*log(exp(z)/sum(exp(z)))",
    "where(max(abs(z)) >= 3/4, mean(z), 0)",
    "where(max(z) > 50, sum(z), 0)",
)


def _drawn(seed: int, count: int) -> list[str]:
    draw = random.Random(seed).choice
    return [
        draw(_JOINED).format(
            draw(_OWN),
            draw(_OF_SHARED).format(f"{draw(('sum', 'mean', 'max', 'min'))}({draw(_ADDED_UP)})"),
        )
        for _ in range(count)
    ]


_SIDES = (
    *("z", "z**2", "abs(z)", "z + 1", "2*z", "tanh(z)", "max(z, 0)", "z*abs(z)", "sum(abs(z))"),
    *("sum(z**2)", "max(z)", "min(z)", "mean(z)", "max(abs(z))"),
)
_OTHER_SIDES = ("0", "1", "-1", "1/2", "max(z)", "min(z)", "mean(z)", "max(abs(z))", "z")
_BRANCHES = (
    *("0", "1", "z", "z/2", "-z", "mean(z)", "max(z)", "z - mean(z)", "z*mean(z)", "tanh(z)"),
    *("z**2", "z/sum(abs(z))", "z/(1 + sum(z**2))", "exp(z)/sum(exp(z))"),
)
_CHOICES = ("where({} {} {}, {}, {}) + mean(z)", "where({} {} {}, {}, {}) - max(z)/2")
_COMPARED = ("==", "==", "!=", "<=")


def _drawn_with_equalities(seed: int, count: int) -> list[str]:
    draw = random.Random(seed).choice
    return [
        draw(
            (*_CHOICES, "where({} {} {}, {}, {})*max(z)", "where({} {} {}, {}, {})*mean(abs(z))")
        ).format(draw(_SIDES), draw(_COMPARED), *map(draw, (_OTHER_SIDES, _BRANCHES, _BRANCHES)))
        for _ in range(count)
    ]


def _outputs(e: Expression, z: list[mpmath.mpf]) -> list[mpmath.mpf]:
    return layer_values(e, {"z": z})


def _jacobian(e: Expression, z: list[mpmath.mpf]) -> mpmath.matrix:
    """Return ∂a_p/∂z_j by central differences, a row for each p."""
    step = mpmath.mpf(10) ** (-mpmath.mp.dps // 3)
    columns = []
    for j in range(len(z)):
        above, below = (
            _outputs(e, [x + s * (k == j) for k, x in enumerate(z)]) for s in (step, -step)
        )
        columns.append([(x - y) / (2 * step) for x, y in zip(above, below, strict=True)])
    return mpmath.matrix(columns).T


def _check_witness(e: Expression, derivation: Derivation) -> None:
    witness = derivation.layer_witness
    assert witness is not None
    layers = [[mpmath.mpf(x) for x in layer] for layer in (witness.first, witness.second)]
    one, two = (_jacobian(e, z) for z in layers)
    fastest = max(1, mpmath.norm(one, 1), mpmath.norm(two, 1))
    for x, y in zip(*(_outputs(e, z) for z in layers), strict=True):
        # The layers are shown as floats.
        assert abs(x - y) <= 1e-13 * max(abs(x), fastest)
    if "kink" not in witness.reason:
        p, j = witness.units
        assert abs(one[p, j] - two[p, j]) > 1e-4 * abs(one[p, j])


def _check_proof(e: Expression) -> None:
    """Seek layers with the same outputs by Newton's method; their Jacobian must be the same."""
    drawn = random.Random(5)
    for units, size in product((1, 2, 3), (0.3, 1, 3)):
        z = [mpmath.mpf(drawn.gauss(0, size)) for _ in range(units)]
        other = [x + mpmath.mpf(drawn.gauss(0, size)) for x in z]
        for _ in range(25):
            missing = mpmath.matrix(_outputs(e, z)) - mpmath.matrix(_outputs(e, other))
            slopes = _jacobian(e, other)
            if mpmath.norm(missing) < 1e-22:
                break
            squares = slopes * slopes.T + mpmath.mpf(10) ** -20 * mpmath.eye(units)
            step = slopes.T * mpmath.lu_solve(squares, missing)
            if mpmath.norm(step) > 50:
                break
            other = [x + step[k] for k, x in enumerate(other)]
        if mpmath.norm(missing) < 1e-22:
            apart = mpmath.norm(_jacobian(e, z) - _jacobian(e, other), 1)
            assert apart < 1e-5 * (1 + mpmath.norm(_jacobian(e, z), 1)), (z, other)


_SHORT = (-2, -1, 0, mpmath.mpf(1) / 2, 1)
_LATTICE = [list(map(mpmath.mpf, z)) for n in (1, 2, 3) for z in product(_SHORT, repeat=n)]


def _check_on_a_lattice(derivation: Derivation) -> int:
    """Compare layers of short numbers, at which equalities hold, with the derivatives taken there.

    A form has to tell these, and where the output does, layers with one output have one of them.
    """
    expression, form = derivation.formula.expression, derivation.product_from_output
    taken = backward_graph(derivation.graph, selects=True)[0].expression()
    seen: dict[tuple[str, ...], list[Any]] = {}
    for z in _LATTICE:
        try:
            a = _outputs(expression, z)
        except (UndefinedError, OverflowError):
            continue
        known = {"z": z, "a": a, "g": [mpmath.mpf(3 * k + 2) / 7 for k in range(len(z))]}
        wanted = evaluate_layer(taken, known)
        if not all(map(mpmath.isfinite, wanted)):
            continue
        key = tuple(mpmath.nstr(x, 30) for x in a)
        if form is not None:
            seen[key] = evaluate_layer(form, {"a": a, "g": known["g"]})
        for x, y in zip(seen.setdefault(key, wanted), wanted, strict=True):
            assert abs(x - y) <= 1e-25 * (1 + abs(y)), (z, x, y)
    return len(seen)


@pytest.mark.parametrize(
    "text",
    [
        *some_of(_drawn_with_equalities(1, 16), 3),
        *("where(z == 0, 5, z) + mean(z)", "z + where(max(z) == 1, 5, max(z))"),
        *("where(abs(z) == max(abs(z)), z, 0)", "where(sum(abs(z)) == 0, 0, z/(1 + sum(abs(z))))"),
        *("where(z == max(z), z - mean(z), 0)", "where(z > 1/2, z, 0) + mean(z)"),
        *("max(z, 0) + mean(max(z, 0))", "where(z >= 0, z + 1, 0) + mean(z)"),
        *("where(max(z) + 2 == 0, 2, z) + max(z)", "where(z > -1/2, z, 0) + mean(z)"),
    ],
)
def test_what_is_said_of_a_layer_holds_where_equalities_do(text: str) -> None:
    """Forms and proofs by layers of short numbers, witnesses by their values."""
    derivation = derive(parse(text))
    with mpmath.workdps(40):
        if derivation.product_from_output is not None or derivation.determined_by_output:
            assert _check_on_a_lattice(derivation) > 0
        elif derivation.layer_witness is not None:
            _check_witness(derivation.formula.expression, derivation)


@pytest.mark.long
@pytest.mark.parametrize("text", _drawn_with_equalities(2, 80))
def test_what_is_said_of_many_layers_holds_where_equalities_do(text: str) -> None:
    """As above, with more formulas that nobody has written."""
    test_what_is_said_of_a_layer_holds_where_equalities_do(text)


_SETTLED = {
    "where(z > 0, exp(z), 0)/(1 + sum(where(z > 0, exp(z), 0)))": "a*(g - sum(a*g))",
    "where(z > mean(z), exp(z), 0)/sum(where(z > mean(z), exp(z), 0))": "a*(g - sum(a*g))",
    "where(z > 0, z, 0)/(1 + sum(where(z > 0, z, 0)))": (
        "indicator(a > 0)*(1 - sum(a))*(g - sum(a*g))"
    ),
    "where(abs(z) == max(abs(z)), z, 0)": "g*indicator(abs(a) == max(abs(a)))",
    "where(sum(abs(z)) == 0, 0, z/(1 + sum(abs(z))))": ("(1 - sum(abs(a)))*(g - sign(a)*sum(a*g))"),
    "max(z, 0) + mean(max(z, 0))": "clamped units",
    "min(max(z, -1), 1) + mean(min(max(z, -1), 1))/2": "clamped units",
    "where(z > 1/2, z, 0) + mean(z)": "(f(x) - f(y))·(x - y) ≥ 0",
    "where(z >= 0, z + 1, 0) + mean(z)": "(f(x) - f(y))·(x - y) ≥ 0",
    "where(z > -1/2, z, 0) + mean(z)": "two units exchanged",
    "where(z >= z, z - max(z), z*mean(z))": ("g - indicator(a == 0)*sum(g)/sum(indicator(a == 0))"),
    "where(z == 0, mean(z), z)": "its own outputs as a layer",
    "where(max(z) == 1, 5, z)": "its own outputs as a layer",
    "where(max(z) != 1, -z, z)": "its own outputs as a layer",
    "max(z, mean(z) - 1)": "with a unit at a kink",
}


@pytest.mark.parametrize(("text", "wanted"), _SETTLED.items())
def test_layers_that_choose_are_settled(text: str, wanted: str) -> None:
    """By a form, a proof or a witness."""
    derivation = derive(parse(text))
    form = derivation.product_from_output
    if form is not None:
        assert to_text(form) == wanted
    else:
        assert wanted in (derivation.determined_by_output or str(derivation.layer_witness))


@pytest.mark.parametrize(
    "text", ["where(sum(z) == 0, z, tanh(z))", "where(sum(z) == 0, 0, tanh(z))"]
)
def test_equal_sums_of_outputs_say_nothing_of_the_layers(text: str) -> None:
    """A sum of outputs vanishes at other layers than the sum of the units."""
    derivation = derive(parse(text))
    assert derivation.product_from_output is None
    assert not derivation.determined_by_output


@pytest.mark.long
@pytest.mark.parametrize("text", [*_drawn(11, 60), *_ONCE_WRONG])
def test_nothing_that_is_said_of_a_layer_is_contradicted(text: str) -> None:
    """Forms by difference quotients, witnesses by values, proofs by a search for a witness."""
    formula = parse(text)
    derivation = derive(formula)
    with mpmath.workdps(40):
        if derivation.product_from_output is not None:
            check_product(formula.expression, derivation.product_from_output, {})
            return
        try:
            if derivation.determined_by_output:
                _check_proof(formula.expression)
            elif derivation.layer_witness is not None:
                _check_witness(formula.expression, derivation)
        except (UndefinedError, OverflowError):
            pytest.skip("a layer at which the formula has no value")
