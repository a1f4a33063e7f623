"""SymPy expressions read as formulas: the same function, whatever order SymPy has put it in."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formulas.language import UndefinedError, value_at

from chainrule.formulas import Apply, Constant, FormulaError, ParameterError, Variable, parse

z, x, y, alpha = sympy.symbols("z x y alpha")
a, t = sympy.symbols("a t")
PLACES = ("-2.7", "-0.6", "0.3", "1.9")


def agrees(expression: sympy.Expr, parameters: dict[str, float], symbol: sympy.Symbol) -> None:
    """Compare with SymPy's own numbers; SymPy only reads the formula in the code under test."""
    formula = parse(expression, parameters)
    with mpmath.workdps(40):
        for place in PLACES:
            known = {sympy.Symbol(name): sympy.Rational(v) for name, v in parameters.items()}
            wanted = sympy.N(expression.subs({symbol: sympy.Rational(place), **known}), 40)
            try:
                got = value_at(formula.expression, mpmath.mpf(place), parameters)
            except UndefinedError:
                assert not wanted.is_real or not wanted.is_finite
                continue
            assert wanted.is_real
            assert abs(got - mpmath.mpf(str(wanted))) < mpmath.mpf(10) ** -30 * (1 + abs(got))
    # What was read prints as text of the language that means the same tree's values.
    again = parse(formula.text, parameters)
    with mpmath.workdps(40):
        for place in PLACES:
            try:
                one = value_at(formula.expression, place, parameters)
            except UndefinedError:
                continue
            two = value_at(again.expression, place, parameters)
            assert abs(one - two) < mpmath.mpf(10) ** -30 * (1 + abs(one))


@pytest.mark.parametrize(
    "expression",
    [
        1 / (1 + sympy.exp(-z)),
        z * sympy.tanh(sympy.log(1 + sympy.exp(z))),
        sympy.Max(z, 0),
        sympy.Max(-1, sympy.Min(1, z)),
        sympy.Max(z, z**2, sympy.sin(z)),
        sympy.Min(z, 0, evaluate=False),
        sympy.Abs(z) / (1 + sympy.Abs(z)),
        sympy.sign(z) * sympy.sqrt(sympy.Abs(z)),
        sympy.Piecewise((z, z > 0), (sympy.exp(z) - 1, True)),
        sympy.Piecewise((0, z <= -3), (z, z >= 3), (z * (z + 3) / 6, True)),
        sympy.Piecewise((1, sympy.Eq(z, 0)), (sympy.sin(z) / z, True)),
        sympy.Piecewise((z, sympy.Ne(z, 1)), (2, True)),
        sympy.E**z,
        sympy.E * z,
        sympy.pi * z + sympy.E,
        sympy.exp(z + 1),
        sympy.exp(z) ** 2,
        2**z,
        z ** sympy.Rational(3, 2),
        1 / sympy.sqrt(z**2 + 1),
        -z / 2 - 1,
        -(z - 1) * (z - 2),
        -sympy.exp(-z),
        z**-3,
        sympy.erf(z / sympy.sqrt(2)) / 2,
        sympy.erfc(z),
        sympy.tan(z / 4),
        sympy.atan(z) + sympy.asinh(z) + sympy.cosh(z) - sympy.sinh(z) * sympy.cos(z),
        sympy.log(z**2 + 2) / sympy.log(2),
        sympy.Rational(1, 3) * z,
        sympy.Rational(-7, 3) * z + sympy.Rational(2, 5),
        z - sympy.Rational(1, 3),
        sympy.sqrt(2) * z / 3,
        (1 - z) / (2 - z) / (3 - z),
        z * (1 - z),
        sympy.sqrt(sympy.pi) * z,
        z / sympy.pi,
        sympy.S.Half ** (z + 1),
        sympy.Mul(2, sympy.Add(z, 1, evaluate=False), evaluate=False),
        sympy.Pow(sympy.exp(z), -1, evaluate=False),
        sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi),
    ],
    ids=str,
)
def test_a_sympy_expression_is_read_as_the_function_it_is(expression):
    """Values agree to thirty digits, and printing and reading again keeps them."""
    agrees(expression, {}, z)


ONE = [
    *(sympy.exp, sympy.tanh, sympy.sin, sympy.atan, sympy.Abs),
    lambda e: sympy.sqrt(e**2 + 1),
    lambda e: e**2,
    lambda e: 1 / (e**2 + 1),
    lambda e: -e,
]
TWO = [
    *(sympy.Max, sympy.Min),
    lambda p, q: p + q,
    lambda p, q: p - q,
    lambda p, q: p * q,
    lambda p, q: p / (1 + q**2),
    lambda p, q: sympy.Piecewise((p, z > 1), (q, True)),
]


def build_strategy():
    """Return random SymPy expressions in z and alpha."""
    leaf = st.sampled_from(
        [z, z, alpha, sympy.Integer(2), sympy.Rational(-1, 3), sympy.pi, sympy.E, sympy.Integer(-1)]
    )

    def extend(inner):
        one = st.sampled_from(ONE)
        two = st.sampled_from(TWO)
        return st.one_of(
            st.builds(lambda f, e: f(e), one, inner),
            st.builds(lambda f, p, q: f(p, q), two, inner, inner),
        )

    return st.recursive(leaf, extend, max_leaves=6).filter(
        lambda e: e.is_Atom is not True and z in e.free_symbols and sympy.count_ops(e) < 40
    )


@settings(deadline=None, derandomize=True, max_examples=60)
@given(build_strategy())
def test_every_sympy_expression_of_the_languages_operations_is_read(expression):
    """Whatever SymPy makes of sums, products and branches, the function stays the same."""
    if alpha in expression.free_symbols:
        agrees(expression, {"alpha": 0.25}, z)
    else:
        agrees(expression, {}, z)


def test_a_float_is_the_decimal_it_shows():
    """Float 0.1 becomes one tenth."""
    product = parse(sympy.Float("0.1") * z).expression
    assert isinstance(product, Apply)
    assert Constant(Fraction(1, 10)) in product.arguments


def test_a_lone_symbol_stands_for_the_preactivation():
    """f(x) in one symbol needs no renaming; with z in it, another symbol is a parameter."""
    assert parse(1 / (1 + sympy.exp(-x))).expression == parse("1/(1 + exp(-z))").expression
    assert parse(sympy.sin(t)).expression == Apply("sin", (Variable("z"),))
    with pytest.raises(ParameterError, match="no value for x"):
        parse(x * z)
    with pytest.raises(FormulaError):
        parse(x * y)
    assert parse(alpha * x, {"alpha": 2.0}).text == "alpha*z"
    with pytest.raises(FormulaError, match="does not occur"):
        parse(alpha + 1, {"alpha": 2.0})


def test_symbols_with_assumptions_are_read_by_their_names():
    """real=True and positive=True change nothing."""
    real = sympy.Symbol("z", real=True)
    positive = sympy.Symbol("alpha", positive=True)
    formula = parse(positive * sympy.Abs(real), {"alpha": 0.5})
    assert formula.text == "alpha*abs(z)"


def test_costs_take_sympy_in_the_output_and_the_target():
    """Variables a and y are read by name, and no lone symbol is renamed."""
    formula = parse((a - y) ** 2, variables=("a", "y"))
    assert formula.expression == parse("(a - y)**2", variables=("a", "y")).expression


@pytest.mark.parametrize(
    "expression",
    [
        sympy.gamma(z),
        sympy.Function("f")(z),
        sympy.besselj(0, z),
        sympy.Integral(z, z),
        sympy.Derivative(sympy.Function("f")(z), z),
        sympy.Sum(z, (x, 1, 3)),
        sympy.I * z,
        sympy.zoo * z,
        sympy.oo * z,
        sympy.nan,
        sympy.Heaviside(z),
        sympy.Piecewise((z, z > 0)),
        sympy.Piecewise((z, sympy.And(z > 0, z < 1)), (0, True)),
        sympy.Matrix([z]),
        sympy.Eq(z, 1),
        z > 0,
        sympy.true,
        sympy.Integer(3),
        sympy.Tuple(z, z),
        sympy.Add(*[sympy.sin(k * z) for k in range(2, 900)]),
    ],
    ids=lambda e: str(e)[:40],
)
def test_what_sympy_can_say_and_the_language_cannot_is_refused(expression):
    """Each is a FormulaError, or a parameter's."""
    with pytest.raises((FormulaError, ParameterError)):
        parse(expression)


@pytest.mark.parametrize("depth", [60, 300, 800])
def test_what_is_nested_too_deeply_for_text_is_too_deep_from_sympy(depth):
    """Depth is bounded as it is for text: what is read prints as text that is read."""
    deep = z
    for _ in range(depth):
        deep = sympy.Add(1, sympy.Mul(-1, deep, evaluate=False), evaluate=False)
    with pytest.raises(FormulaError):
        parse(deep)


@pytest.mark.parametrize("name", ["pi", "exp", "max", "where", "sum", "lambda", "a.b", "__class__"])
def test_a_symbol_cannot_bear_a_name_that_text_reads_otherwise(name):
    """The printed formula must mean the formula, so its names are those of the language."""
    with pytest.raises(FormulaError):
        parse(sympy.Symbol(name) * z, {name: 1.0})


def test_a_symbols_name_cannot_carry_code():
    """Names go into generated source; only plain ones are let through."""
    name = "x = 1\n    print('here')\n    q"
    with pytest.raises(FormulaError, match="name"):
        parse(sympy.Symbol(name) * z, {name: 1.0})


def test_reading_text_does_not_import_sympy():
    """SymPy is loaded for SymPy's expressions only."""
    code = (
        "import sys\nfrom chainrule.formulas import parse\nparse('exp(z)')\n"
        "raise SystemExit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
