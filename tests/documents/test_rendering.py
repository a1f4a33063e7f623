"""Derivations as text, LaTeX and HTML."""

from __future__ import annotations

import xml.dom.minidom

import pytest
from tests.derivations.shared import derivation_of

from chainrule.catalogue import activations
from chainrule.derivations import derive
from chainrule.documents import latex_of, text_of
from chainrule.documents._mathml import mathml
from chainrule.formulas import parse

SOFTMAX_UNIT_J = """
      u_{-1} = z_j
      u_{0,p} = z_p    for all p ≠ j
      u1 = exp(u_{-1})
      u_{2,p} = exp(u_{0,p})    for all p ≠ j
      u3 = u1 + Σ_{p≠j} u_{2,p}
      u4 = 1/u3
      u5 = u1·u4 = a_j
"""
TANH_CHAIN = """
      ∂a/∂u7 = 1
      ∂a/∂u6 = ∂a/∂u7·∂u7/∂u6 = u4 = exp(z) - exp(-z)
      ∂a/∂u5 = ∂a/∂u6·∂u6/∂u5 = -u4/u5² = (exp(-z) - exp(z))/(exp(z) + exp(-z))²
      ∂a/∂u4 = ∂a/∂u7·∂u7/∂u4 = u6 = 1/(exp(z) + exp(-z))
"""


def test_tanh_chain_rule_as_in_the_essay():
    """The chain rule of tanh stands line by line as on paper."""
    assert TANH_CHAIN in derivation_of("tanh").to_text()


def test_softmax_graph_as_in_the_essay():
    """The graph of unit j is numbered as in the essay; that of unit p ends in another line."""
    text = derivation_of("softmax").to_text()
    assert SOFTMAX_UNIT_J in text
    assert "u5 = u_{2,p}·u4 = a_p" in text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("relu", "∂J/∂Z = ∂J/∂A ⊙ I(Z > 0)"),
        ("sigmoid", "∂J/∂Z = ∂J/∂A ⊙ A ⊙ (1 - A)"),
        ("tanh", "∂J/∂Z = ∂J/∂A ⊙ (1 - A ⊙ A)"),
        ("softmax", "∂J/∂Z = A ⊙ (∂J/∂A - broadcast(Σ_axis A ⊙ ∂J/∂A))"),
        (
            "softmax",
            "∂a_j/∂z_j = exp(z_j)·(Σ_k exp(z_k) - exp(z_j))/(Σ_k exp(z_k))² = a_j·(1 - a_j)",
        ),
        ("softmax", "∂a_p/∂z_j = -exp(z_j)·exp(z_p)/(Σ_k exp(z_k))² = -a_j·a_p    for p ≠ j"),
        ("log_softmax", "∂J/∂Z = ∂J/∂A - broadcast(Σ_axis ∂J/∂A) ⊙ exp(A)"),
        ("identity", "∂J/∂Z = ∂J/∂A"),
    ],
)  # fmt: skip
def test_results_of_the_essay(name, line):
    """Equations (2), (4), (6), (8) and the softmax's partial derivatives, as lines of text."""
    lines = [entry.strip() for entry in derivation_of(name).to_text(160).splitlines()]
    assert line in lines


@pytest.mark.parametrize(
    ("formula", "text", "latex"),
    [
        ("2*sum(z*exp(z))*z", "2·(Σ_k z·exp(z))·z", r"2 \, \left(\sum_{k} z \, e^{z}\right) \, z"),
        ("z*sum(z)*sum(z)", "z·(Σ_k z)·Σ_k z", r"z \, \left(\sum_{k} z\right) \, \sum_{k} z"),
        ("2*(z*sum(z))", "2·z·Σ_k z", r"2 \, z \, \sum_{k} z"),
    ],
)
def test_a_sum_does_not_seem_to_hold_what_follows(formula, text, latex):
    """Within a product it stands in brackets, at the end of one it does not."""
    expression = parse(formula).expression
    assert (text_of(expression), latex_of(expression)) == (text, latex)


def test_kink_is_stated():
    """Where the slope jumps, the place, both slopes and the one taken are said."""
    text = derive(parse("where(z > 1/2, 2*z, z)")).to_text()
    assert "At z = 1/2 the slope jumps from 1 to 2; taken there: 1" in text


def test_smooth_join_is_stated():
    """CELU's pieces join smoothly though max and min tie there."""
    text = derivation_of("celu", alpha=2.0).to_text()
    assert "At z = 0 the pieces join smoothly, with slope 1." in text


def test_long_equations_are_wrapped():
    """No equation that can be broken at an equals sign is wider than asked for."""
    text = derivation_of("softmax").to_text(60)
    assert max(len(line) for line in text.splitlines() if " = " not in line[20:]) <= 100
    assert "\n" in text


@pytest.mark.parametrize(
    ("formula", "text", "latex"),
    [
        ("-(z - 1)**2", "-(z - 1)²", "-(z - 1)^{2}"),
        ("z - (z - 1)", "z - (z - 1)", "z - (z - 1)"),
        ("z/(2*z + 1)", "z/(2·z + 1)", "\\frac{z}{2 \\, z + 1}"),
        ("2**z*z", "2^z·z", "2^{z} \\, z"),
        ("sqrt(abs(z))", "sqrt(|z|)", "\\sqrt{{\\lvert z \\rvert}}"),
        ("z*1e-10", "z·1e-10", "z \\cdot 10^{-10}"),
        ("(z**2)**3", "(z²)³", "(z^{2})^{3}"),
        ("z/z/z", "z/z/z", "\\frac{z/z}{z}"),
        ("z/(z/z)", "z/(z/z)", "\\frac{z}{z/z}"),
        ("z - -z", "z - (-z)", "z - (-z)"),
        ("exp(z)**2", "exp(z)²", "(e^{z})^{2}"),
        ("0.044715*z", "0.044715·z", "0.044715 \\, z"),
        ("(1/30)*z", "1/30·z", "\\frac{1}{30} \\, z"),
        ("(z/2)**2", "(z/2)²", "\\left(\\frac{z}{2}\\right)^{2}"),
        ("exp(-(z/2)**2)", "exp(-(z/2)²)", "e^{-(z/2)^{2}}"),
        ("exp(-z/(2*z))", "exp(-z/(2·z))", "e^{-z/(2 \\, z)}"),
        (
            "exp(z**3 + 4*z**2 + 567*z)",
            "exp(z³ + 4·z² + 567·z)",
            "\\exp (z^{3} + 4 \\, z^{2} + 567 \\, z)",
        ),
        (
            "where(z > 1/3, z, 0)",
            "where(z > 1/3, z, 0)",
            "\\begin{cases} z & \\text{if } z > 1/3, \\\\ 0 & \\text{otherwise} \\end{cases}",
        ),
    ],
)
def test_brackets(formula, text, latex):
    """Brackets stand where they are needed and nowhere else."""
    expression = parse(formula).expression
    assert text_of(expression) == text
    assert latex_of(expression) == latex


@pytest.mark.long
@pytest.mark.parametrize("name", [entry.name for entry in activations()])
def test_page_of_every_function_is_well_formed(name):
    """Every function of the catalogue has a page that is well-formed and holds no raw LaTeX."""
    page = derivation_of(name).to_html()
    body = page[page.index("<main>") : page.index("</main>") + len("</main>")]
    xml.dom.minidom.parseString(body)
    assert "\\" not in body
    assert "merror" not in body


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_long_side_goes_on_below_its_sign_of_equality(width):
    """No line is longer than the page where there is a sign to break at, and nothing is lost."""
    parts = ["exp(z)*log(2 + z)", "tanh(z)*(1 + z)"] * 4
    text = derive(parse(" + ".join(parts))).to_text(width)
    shown = text.split("1. Formula")[1].split("2. ")[0]
    assert max(map(len, shown.splitlines())) <= width
    assert "a = " + " + ".join(parts).replace("*", "·") in " ".join(shown.split())


@pytest.mark.parametrize("name", ["gelu_tanh", "mish", "layer_norm", "snake"])
def test_no_line_of_text_is_wider_than_the_terminal(name):
    """Sides break outside brackets first, and within one below its first operand."""
    text = derivation_of(name).to_text(80)
    assert max(map(len, text.splitlines())) <= 80


def test_what_goes_on_within_a_bracket_stands_below_its_first_operand():
    inner = "exp(z)*sin(z) + log(2 + z**2) + sqrt(1 + z**4)"
    text = derive(parse(f"tanh({inner})")).to_text(50)
    first, second = text.split("1. Formula")[1].splitlines()[2:4]
    assert first.strip().startswith("a = tanh(exp(z)·sin(z)")
    assert second.index("+") == first.index("exp(z)")


def test_names_with_digits_are_words_in_mathml():
    """As those without: one upright name, no product of letters."""
    for name in ("log1p", "expm1", "erf"):
        assert f"<mi>{name}</mi>" in mathml(rf"2\operatorname{{{name}}}(x)")
