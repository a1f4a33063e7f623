"""Without any time for algebra a derivation is still right, and no algebra is begun."""

import sys
import time

import pytest
import sympy
from tests.derivations.oracle import PLACES, check_pieces, check_steps, settled_places

from chainrule.catalogue import activation_formula, activations, cost_formula, costs
from chainrule.derivations import (
    TimeLimitError,
    derive,
    derive_cost,
    in_time,
    time_budget,
    time_limit,
)
from chainrule.derivations.algebra._sympy import put_in
from chainrule.derivations.limits_in_time._remembered import forget, remembered
from chainrule.formulas import parse
from chainrule.portraits import portrait

# What may take any time: simplifications, solutions, limits and numbers of towers.
HEAVY = (
    *("simplify", "factor", "factor_list", "cancel", "together", "expand", "solve", "limit"),
    *("series", "resultant", "groebner", "nsimplify", "roots", "real_roots", "powsimp", "gcd"),
    *("powdenest", "expand_log", "expand_power_exp", "factor_terms", "collect", "decompose"),
    *("degree", "rem", "fraction", "N", "Poly", "diff"),
)
FORMULAS = (
    *(activation_formula(entry.name) for entry in activations()),
    parse("abs((z + alpha + beta + sin(z))**500)", {"alpha": 1.0, "beta": 2.0}),
    parse("where(exp(z) < max(z), z, mean(z)*z)"),
    parse("(0.1**z + 1e300/z) + min(1e300, z)"),
    parse("max(expm1(z), where(z > 1/z, min(1/3, z), pi)**(3 - z))"),
)
IDS = [formula.name or formula.text for formula in FORMULAS]


@pytest.fixture
def no_algebra(monkeypatch):
    """Let the heavy functions of SymPy fail when the package itself calls them."""
    forget()

    def refused(name, function):
        def called(*arguments, **options):
            caller = sys._getframe(1).f_code
            if "/chainrule/" in caller.co_filename:
                pytest.fail(f"{name} is called outside of any limit by {caller.co_qualname}")
            return function(*arguments, **options)

        return called

    for name in HEAVY:
        monkeypatch.setattr(sympy, name, refused(name, getattr(sympy, name)))


def everything(derivation):
    """Return all that a derivation tells."""
    written = str(derivation), derivation.to_latex(), derivation._repr_html_()
    further = derivation.jacobian, derivation.hessian, derivation.second, derivation.by_parameters
    return (*written, *further, derivation.layer_witness, derivation.told_by_output)


@pytest.mark.parametrize("formula", FORMULAS, ids=IDS)
def test_without_time_every_activation_is_derived(formula, no_algebra):
    with time_budget(0.0):
        derivation = derive(formula)
        assert everything(derivation)
        assert portrait(formula).statements
    if not formula.is_layer_coupled:
        settled = settled_places(formula.expression, dict(formula.parameters), PLACES[2::2])
        check_steps(derivation, settled)
        check_pieces(derivation, settled)


@pytest.mark.parametrize("name", [entry.name for entry in costs()])
def test_without_time_every_cost_is_derived(name, no_algebra):
    with time_budget(0.0):
        for output in ("sigmoid", "softmax"):
            assert str(derive_cost(activation_formula(output), cost_formula(name)))


@pytest.mark.parametrize("name", ["mish", "softmax", "elu", "isru", "gelu_tanh", "layer_norm"])
def test_without_time_for_the_text_what_was_found_is_shown(name, request):
    derivation = derive(activation_formula(name))
    request.getfixturevalue("no_algebra")
    with time_budget(0.0):
        assert everything(derivation)


def test_what_runs_over_is_done_once_more_without_algebra():
    runs = []

    def work():
        runs.append(time.thread_time())
        while len(runs) == 1:
            pass
        with pytest.raises(TimeLimitError), time_limit(10):
            pytest.fail("a simplification was begun")
        return "plain"

    assert in_time(0.0, work) == "plain"


def test_what_a_budget_cut_short_is_not_kept():
    runs = []

    @remembered
    def work(formula):
        runs.append(formula.name)
        return len(runs)

    plain, named = parse("tanh(z)"), activation_formula("tanh")
    with time_budget(0.0):
        assert [work(plain), work(plain)] == [1, 2]
    assert [work(plain), work(plain), work(named)] == [3, 3, 4]
    with time_budget(0.0):
        assert work(plain) == 3
    forget()
    assert work(plain) == 5
    assert runs == ["", "", "", "tanh", ""]


def test_what_is_computed_of_a_derivation_on_request_is_its_own():
    formula = activation_formula("softplus")
    with time_budget(0.0):
        short = derive(formula)
        assert short.sections
    assert derive(formula).sections != short.sections


def test_a_number_is_put_in_as_by_sympy():
    x = sympy.Dummy("x", real=True)
    e = sympy.exp(x) + x**3 / (1 + sympy.sqrt(x)) - sympy.sin(2 * x)
    for value in (sympy.Integer(0), sympy.Rational(7, 3), sympy.pi):
        assert sympy.simplify(put_in(e, x, value) - e.subs(x, value)) == 0


@pytest.mark.parametrize("text", ["(1/10)**x", "exp(x*log(2))", "3**(x + 1)", "(x + 1)**12345"])
def test_powers_too_long_to_be_written_out_are_refused(text):
    x = sympy.Symbol("x", real=True)
    e = sympy.sympify(text, locals={"x": x})
    with pytest.raises(OverflowError):
        put_in(e, x, sympy.Integer(10) ** 300)
