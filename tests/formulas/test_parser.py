"""The formula language: what is read, what is refused, and where the caret points."""

from __future__ import annotations

import builtins
import contextlib
import os
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.formulas.language import (
    PARAMETERS,
    bracketed,
    elementwise,
    layer_coupled,
)

from chainrule.derivations import evaluate_layer
from chainrule.formulas import (
    Apply,
    ChainruleError,
    Constant,
    Formula,
    FormulaError,
    Parameter,
    ParameterError,
    Pi,
    Variable,
    parse,
    to_text,
)

Z = Variable("z")
ALL = {"alpha": 0.25, "beta_1": 1.5}


def used(expression) -> dict[str, float]:
    """Return values for just the parameters that occur."""
    text = bracketed(expression)
    return {name: value for name, value in PARAMETERS.items() if name in text}


def read(text: str):
    return parse(text, {name: value for name, value in ALL.items() if name in text}).expression


# -- reading ------------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=150)
@given(elementwise(leaves=8))
def test_every_elementwise_formula_reads_as_the_tree_it_was_written_from(expression):
    """Text with all brackets gives exactly the operations it spells, in their order."""
    assert parse(bracketed(expression), used(expression)).expression == expression


@settings(deadline=None, derandomize=True, max_examples=100)
@given(layer_coupled(leaves=6))
def test_every_layer_coupled_formula_reads_as_the_tree_it_was_written_from(expression):
    """Reductions over the units are told from max and min of two values by their arity."""
    formula = parse(bracketed(expression), used(expression))
    assert formula.expression == expression
    assert formula.is_layer_coupled


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.one_of(elementwise(leaves=8), layer_coupled(leaves=6)))
def test_printing_and_reading_again_changes_nothing(expression):
    """The printed text has the brackets it needs: reading it gives the same tree."""
    text = to_text(expression)
    assert parse(text, used(expression)).expression == expression
    assert len(text) <= len(bracketed(expression))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z - 1 - 2*z", "z - 1 - 2*z"),
        ("z - (1 - z)", "z - (1 - z)"),
        ("2/(z/3)", "2/(z/3)"),
        ("2/z/3", "2/z/3"),
        ("-z**2", "-z**2"),
        ("(-z)**2", "(-z)**2"),
        ("2**-z", "2**-z"),
        ("z**z**2", "z**z**2"),
        ("(z**z)**2", "(z**z)**2"),
        ("- - z", "--z"),
        ("+z", "z"),
        ("z*(-2)", "z*-2"),
        ("(-2)**z", "(-2)**z"),
        ("(1/2)**z", "(1/2)**z"),
        ("z/(1/2)", "z/(1/2)"),
        ("1/2*z", "1/2*z"),
        ("where(z>0,z,0)", "where(z > 0, z, 0)"),
        ("z -\n\t1", "z - 1"),
        ("  z  ", "z"),
    ],
)
def test_printed_text_keeps_the_precedence_of_the_written(text, expected):
    """Minimal brackets, and both texts mean the same tree."""
    expression = read(text)
    assert to_text(expression) == expected
    assert read(expected) == expression


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("1e-3", Fraction(1, 1000)),
        ("0.044715", Fraction(44715, 1000000)),
        ("1.6732632423543772", Fraction(16732632423543772, 10**16)),
        ("1/3", Fraction(1, 3)),
        ("2**10", Fraction(1024)),
        ("2**-2", Fraction(1, 4)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("3 - 0.5*4", Fraction(1)),
        ("-7", Fraction(-7)),
        ("1_000", Fraction(1000)),
        ("1e300", Fraction(10**300)),
    ],
)
def test_numbers_are_exact_rationals(text, value):
    """What is written in decimals is that decimal, not the double nearest to it."""
    assert read(f"z*({text})") == Apply("multiply", (Z, Constant(value)))


def test_names_outside_the_variables_are_parameters():
    """Pi is a number of its own; everything else but z needs a value."""
    formula = parse("beta_1*sin(z*pi)/alpha", {"alpha": 2, "beta_1": Fraction(1, 4)})
    assert formula.parameters == (("beta_1", 0.25), ("alpha", 2.0))
    sine = Apply("sin", (Apply("multiply", (Z, Pi())),))
    product = Apply("multiply", (Parameter("beta_1"), sine))
    assert formula.expression == Apply("divide", (product, Parameter("alpha")))


def test_costs_are_read_in_the_output_and_the_target():
    """With variables a and y, z is no variable, and no name for a parameter either."""
    formula = parse("sum((a - y)**2)", variables=("a", "y"))
    difference = Apply("subtract", (Variable("a"), Variable("y")))
    square = Apply("power", (difference, Constant(Fraction(2))))
    assert formula.expression == Apply("sum", (square,))
    with pytest.raises(FormulaError, match="z stands for the pre-activation"):
        parse("sum(a - z)", {"z": 1.0}, variables=("a", "y"))
    for name in ("a", "y"):
        with pytest.raises(FormulaError, match=f"{name} stands for"):
            parse(f"{name}*z", {name: 1.0})


def test_a_formula_passes_through_and_takes_new_parameter_values():
    """Parse of a Formula is the Formula; with_parameters changes values only."""
    formula = parse("where(z > 0, z, alpha*z)", {"alpha": 0.01}, name="leaky")
    assert parse(formula) is formula
    assert parse(formula, {"alpha": 0.2}).parameters == (("alpha", 0.2),)
    changed = formula.with_parameters(alpha=0.3)
    assert (changed.expression, changed.name) == (formula.expression, "leaky")
    assert changed.parameters == (("alpha", 0.3),)
    assert isinstance(changed, Formula)
    with pytest.raises(ParameterError, match="beta"):
        formula.with_parameters(beta=1.0)


# -- refusing -----------------------------------------------------------------------------------

HOSTILE = [
    "",
    "   \n\t ",
    "__import__('os').system('touch hacked')",
    "z.__class__",
    "z.real",
    "().__class__.__bases__[0].__subclasses__()",
    "np.exp(z)",
    "exp.__globals__",
    "eval('z')",
    "exec('1')",
    "open('x')",
    "print(z)",
    "getattr(z, 'real')",
    "__builtins__",
    "__name__*z",
    "a__b*z",
    "_private*z",
    "[z for z in z]",
    "{z: z}",
    "{z}",
    "sum(z for z in z)",
    "lambda: z",
    "(lambda z: z)(z)",
    "exp(z)(z)",
    "f'{z}'",
    "f'{__import__(\"os\")}'*z",
    "b'z'",
    "'z'",
    "z*'a'",
    "(y := z)",
    "await z",
    "yield z",
    "(yield)",
    "z if z else z",
    "z and z",
    "not z",
    "~z",
    "z // 2",
    "z % 2",
    "z @ z",
    "z ^ 2",
    "z | 1",
    "z << 2",
    "z[0]",
    "z[:]",
    "z, z",
    "(z,)",
    "*z",
    "...",
    "None",
    "True*z",
    "True + z",
    "1j*z",
    "0x10*z",
    "z; z",
    "z # comment",
    "z = 2",
    "z == ",
    "import os",
    "del z",
    "9**9**9**9",
    "z*9**9**9**9",
    "z**9**9**9**9",
    "z*10**100000",
    "z*1e999999",
    "z*1e-999999",
    "z*1e309",
    "z*1e99999999999999999999",
    "z*0e99999999999999999999999",
    "z/0",
    "0**-1*z",
    "z*(-8)**0.5",
    "(" * 100_000 + "z" + ")" * 100_000,
    "(" * 900 + "z" + ")" * 900,
    "-" * 1900 + "z",
    "exp(" * 400 + "z" + ")" * 400,
    "+".join("z" * 900),
    "z**" * 600 + "z",
    "z*" * 100_000 + "z",
    "1" * 5000 + "*z",
    "z*" + "9" * 1990,
    "z\x00",
    "\x00",
    "z\ud800",
    "\ufeffz",
    "z\u202e",
    "z\u200b",
    "z*\u03b1",
    "z*ﬁ",
    "\uff5a\u00b2",
    "z²",
    "z × 2",
    "exp",
    "exp*z",
    "max",
    "where",
    "exp()",
    "exp(z, z)",
    "exp(z, z, z)",
    "max()",
    "max(z, z, z)",
    "min(z, 0, 1)",
    "sum(z, z)",
    "mean()",
    "where(z)",
    "where(z > 0, z)",
    "where(z > 0, z, 0, 1)",
    "where(z, z, 0)",
    "where(1, z, 0)",
    "where(0 < z < 1, z, 0)",
    "where(z is 0, z, 0)",
    "where(z in z, z, 0)",
    "where(z > 0 and z < 1, z, 0)",
    "where(not z > 0, z, 0)",
    "where((z > 0) > 0, z, 0)",
    "exp(x=z)",
    "exp(*z)",
    "exp(**z)",
    "max(*z)",
    "max(z, key=exp)",
    "z > 0",
    "(z > 0)*z",
    "exp(z > 0)",
    "-(z > 0)",
    "sum(z > 0)",
    "where(z > 0, z > 1, 0)",
    "max(z > 0, 1)",
    "2",
    "pi",
    "alpha",
    "relu(z)",
    "sigmoid(z)",
    "tan(z)",
    "Exp(z)",
    "exp(z",
    "exp z)",
    "z +",
    "z z",
    "2z",
    "z..",
    "z\\\n+1",
    'z + """',
    "z + '",
    "case z",
    "0777*z",
    "1__0*z",
    "z!",
    "z?",
    "$z",
    "z`",
    "match",
    "\f\v",
    "\N{LINE SEPARATOR}",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_not_in_the_language_is_refused_by_the_packages_own_error(text):
    """Each is a FormulaError (or asks for a parameter), at once, and leaves no other trace."""
    with pytest.raises((FormulaError, ParameterError)) as caught:
        parse(text)
    message = str(caught.value)
    assert message
    assert len(message) < 1500
    lines = message.splitlines()
    carets = [k for k, line in enumerate(lines) if line.strip() == "^"]
    for k in carets:
        assert lines[k].index("^") <= len(lines[k - 1])


@pytest.mark.parametrize(
    "source", [None, 3, 2.5, True, b"z", ["z"], object(), {"z": 1}, lambda z: z, ()]
)
def test_what_is_neither_text_nor_sympy_is_refused(source):
    """The error names the type that was given."""
    with pytest.raises(FormulaError, match=type(source).__name__):
        parse(source)


def test_nothing_typed_is_executed(monkeypatch, tmp_path):
    """Texts that would act if they were run find no way to run."""
    ran = []
    for name in ("eval", "exec", "open", "print"):
        monkeypatch.setattr(builtins, name, lambda *a, _name=name, **k: ran.append(_name))
    monkeypatch.chdir(tmp_path)
    for text in (
        "__import__('os').mkdir('hacked')",
        "open('hacked', 'w')",
        "eval('1')",
        "exec('1')",
        "print(z)",
        "[print(1) for x in (1, 2)]",
        "f'{print(1)}'",
        "(lambda: print(1))()",
    ):
        with pytest.raises(ChainruleError):
            parse(text)
    monkeypatch.undo()
    assert ran == []
    assert os.listdir(tmp_path) == []


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.text(max_size=60))
@example("\x0c(")
@example("\r\nz")
@example("'\\N{x}'")
@example("z\x1c+1")
@example("z\x85")
@example("Ⅷ")
@example("z\u3000+\u30001")
def test_any_text_at_all_is_read_or_refused_by_the_packages_own_error(text):
    """No text raises anything but ChainruleError."""
    with contextlib.suppress(ChainruleError):
        parse(text)


FRAGMENTS = [
    *("z", "alpha", "pi", "exp", "max", "where", "sum", "(", ")", ",", "+", "-", "*", "/", "**"),
    *(">", "<=", "==", "1", "0", "0.5", "1e9", "e", ".", "[", "]", "{", "}", ":", ":=", "lambda"),
    *("if", "else", "for", "in", "not", "and", "is", "'", '"', "f'", "\\", "\n", " ", "\t", "#"),
    *("_", "__", "é", "²", "\x00", "@", "~", "%", "//", "=", ";", "*z", "None", "1j", "b'"),
]


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
def test_scrambled_pieces_of_python_are_read_or_refused_by_the_packages_own_error(text):
    """Texts that look like Python reach every corner of its parser; none escapes."""
    try:
        formula = parse(text, {"alpha": 1.0})
    except ChainruleError:
        return
    assert read(formula.text) == formula.expression


def test_very_long_texts_are_refused_without_reading_them():
    """A hundred megabytes cost no more than looking at their length."""
    with pytest.raises(FormulaError, match="characters"):
        parse("z+" * 10**6 + "z")


def test_refusals_do_not_disturb_the_interpreter():
    """No warning about the typed text is shown, and deep texts do not crash the process."""
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from chainrule.formulas import parse, FormulaError\n"
        "texts = ['z is 1', '1if z else 2', 'z()()', '0xfor z', \"'\\\\d'*z\", '(' * 10**5,"
        " '-' * 1999, '[' * 1999, 'z' + '()' * 900, 'z' + '.a' * 900, '~' * 1999 + 'z']\n"
        "for text in texts:\n"
        "    try:\n"
        "        parse(text)\n"
        "    except FormulaError:\n"
        "        continue\n"
        "    raise SystemExit(text)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


# -- pointing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        #         the caret stands under ^ in the second line
        ("z + foo(z)", "    ^"),
        ("exp(z) * np.tanh(z)", "         ^"),
        ("1 + (z > 0)", "     ^"),
        ("where(z, z, 0)", "      ^"),
        ("where(z > 0, z)", "^"),
        ("2*exp(z, z)", "  ^"),
        ("z*__a", "  ^"),
        ("z + 1e999999", "    ^"),
        ("z + 'é' + 'b'", "    ^"),
        ("alpha*(z ^ 2)", "       ^"),
        ("z + exp", "    ^"),
        ("z + 1/0", "    ^"),
        ("   z + foo(z)", "       ^"),
        ("\tz + foo(z)", "     ^"),
        ("z # why", "  ^"),
        ("z + é*foo(z)", "    ^"),
        ("max(z, 0) + [z]", "            ^"),
        ("z + (lambda: z)", "     ^"),
        ("z + )", "    ^"),
    ],
)
def test_the_caret_stands_under_the_fault(text, marked):
    """The message shows the text, and the caret below the first character that is at fault."""
    with pytest.raises(FormulaError) as caught:
        parse(text, {})
    lines = str(caught.value).splitlines()
    assert caught.value.text == text
    assert caught.value.column == len(marked) - 1
    shown = next(k for k, line in enumerate(lines) if line == "    " + text.replace("\t", " "))
    assert lines[shown + 1] == "    " + marked


def test_the_caret_stands_under_the_fault_of_a_second_line():
    """Line breaks are spaces of the language; columns go on counting over them."""
    text = "z +\n  foo(z)"
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert caught.value.column == text.index("foo")


def test_the_caret_counts_characters_where_letters_take_several_bytes():
    """Letters outside ASCII before the fault do not move the caret."""
    text = "exp('αβγ', z) + 1"
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert caught.value.column == 0
    text = "αβγ + z"
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert caught.value.column == 0
    text = "exp(z*'äöü' + 1) + z"
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert caught.value.column == text.index("'")


def test_a_long_text_is_shown_around_the_fault():
    """Only the surroundings are shown, and the caret still stands under the fault."""
    text = " + ".join(["exp(z)"] * 40) + " + foo(z) + " + " + ".join(["sin(z)"] * 40)
    with pytest.raises(FormulaError) as caught:
        parse(text)
    shown, caret = str(caught.value).splitlines()[1:3]
    assert len(shown) < 100
    assert shown[caret.index("^") :].startswith("foo(z)")
    assert caught.value.column == text.index("foo")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("ln(z)", "log(x)"),
        ("arctan(z)", "atan(x)"),
        ("sigmoid(z)", "1/(1 + exp(-x))"),
        ("tan(z)", "tanh"),
        ("np.exp(z)", "exp(z), not np.exp(z)"),
        ("z ^ 2", "x**2"),
        ("z if z > 0 else 0", "where("),
        ("z > 0", "where("),
        ("max(z, 0, 1)", "Nest"),
        ("clip(z, 0, 1)", "min(max("),
        ("z[0]", "sum, mean, max, min"),
        ("where(0 < z < 1, z, 0)", "nest where"),
        ("f(z) = z**2", "right of the equals sign"),
        ("a = z", "right of the equals sign"),
        (r"\frac{z}{2}", "not LaTeX"),
        ("exp{z}", "round brackets"),
        ("[z + 1]*2", "round brackets"),
        ("{z + 1}*2", "round brackets"),
        ("exp z", "Write exp(z)"),
        ("2z", "Write *"),
        ("(1 + z)z", "Write *"),
        ("2 z", "Write *"),
        ("z 2", "Write *"),
        ("max(0, z", "partner"),
        ("exp(z))/2", "partner"),
        ("(z]", "partner"),
        ("σ(z)", "1/(1 + exp(-x))"),
        ("z +", "expression syntax"),
        ("z if", "expression syntax"),
    ],
)
def test_errors_name_the_remedy(text, remedy):
    """What to write instead stands in the message."""
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert remedy in str(caught.value)


# -- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), True, False, "1", None, 1j, [1.0], 10**400],
)
def test_parameters_are_finite_real_numbers(value):
    """Anything else is a ParameterError that names the parameter."""
    with pytest.raises(ParameterError, match="alpha must be a finite real number"):
        parse("alpha*z", {"alpha": value})


def test_a_missing_parameter_is_named():
    """The message lists every name without a value, and how to give one."""
    with pytest.raises(ParameterError) as caught:
        parse("alpha*exp(beta*z)")
    assert "no value for alpha, beta" in str(caught.value)
    assert "alpha=1.0, beta=1.0" in str(caught.value)


def test_a_spare_parameter_is_refused():
    """A value for a name that does not occur is a mistake, not a default."""
    with pytest.raises(ParameterError, match="gamma does not occur"):
        parse("alpha*z", {"alpha": 1.0, "gamma": 2.0})
    with pytest.raises(ParameterError, match="it has no parameters"):
        parse("exp(z)", {"alpha": 1.0})


def test_a_formula_without_its_variable_is_refused():
    """A constant is not an activation."""
    with pytest.raises(FormulaError, match="z does not occur"):
        parse("alpha + 1", {"alpha": 1.0})


def test_the_printed_formula_names_its_parameters():
    """Str shows text and values."""
    formula = parse("alpha*z", {"alpha": 0.25})
    assert str(formula) == "alpha*z  with alpha=0.25"
    assert formula.title == formula.text == "alpha*z"


@pytest.mark.parametrize(
    ("called", "meant"),
    [
        ("tan(z)", np.tan),
        ("log2(z)", np.log2),
        ("log10(z)", np.log10),
        ("exp2(z)", np.exp2),
        ("cbrt(z)", np.cbrt),
        ("sech(z)", lambda z: 1 / np.cosh(z)),
        ("sinc(z)", lambda z: np.sinc(z / np.pi)),
        ("atanh(z)", np.arctanh),
        ("acosh(z)", np.arccosh),
        ("std(z)", np.std),
        ("var(z)", np.var),
        ("norm(z)", np.linalg.norm),
        ("logsumexp(z)", lambda z: np.log(np.sum(np.exp(z)))),
    ],
)
def test_what_the_language_has_no_word_for_is_told_in_its_words(called, meant):
    """The formula that a message tells one to write has the values that were meant."""
    with pytest.raises(FormulaError) as raised:
        parse(called)
    told = re.search(r"Write (.*?)(?:\.\s|;)", str(raised.value)).group(1)
    formula = parse(re.sub(r"\bx\b", "z", told))
    for z in ([0.25, 0.5], [1.5, 2.5]):
        with np.errstate(invalid="ignore"):
            wanted = np.broadcast_to(meant(np.array(z)), 2)
        if np.isfinite(wanted).all():
            got = evaluate_layer(formula.expression, {"z": z})
            np.testing.assert_allclose(np.array(got, float), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("z·tanh(z)", 1, "Write * for a product."),
        ("z/√(1+z²)", 2, "Write sqrt(x)"),
        ("1 + z²", 5, "Write **2"),
        ("|z|", 0, "Write abs(x)"),
        ("where(z ≥ 0, z, 0)", 8, "Write >=."),
        ("2z", 0, "Write * between the factors"),
        ("z(1 + z)", 0, "Write * between the factors"),
    ],
)
def test_what_is_typeset_or_left_out_on_paper_is_told_in_the_language(text, column, told):
    """The caret points at it."""
    with pytest.raises(FormulaError, match=re.escape(told)) as raised:
        parse(text)
    assert f"\n    {text}\n    {' ' * column}^" in str(raised.value)


def test_a_power_of_e_is_told_to_be_exp():
    with pytest.raises(ParameterError, match=re.escape("Write exp(x)")):
        parse("1/(1 + e**(-z))")
