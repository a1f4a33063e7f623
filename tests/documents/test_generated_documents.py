"""Formulas that nobody has written are shown in every format, whatever their shape."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formulas.generated import coupled_formulas, elementwise_formulas

from chainrule.documents import Document, Equation, Section, latex_of, partial, symbol, text_of
from chainrule.documents._lines import side_lines
from chainrule.documents._mathml import mathml
from chainrule.formulas import ChainruleError, parse

_COMMAND = re.compile(r"\\(?:left|biggl|bigl|big|right|biggr|bigr)\|?")


def balanced(text: str) -> bool:
    """Tell whether brackets of every kind close in the order in which they opened."""
    expected: list[str] = []
    for character in text:
        if character in "([{":
            expected.append(")]}"["([{".index(character)])
        elif character in ")]}" and (not expected or expected.pop() != character):
            return False
    return not expected


def _letters(latex: str) -> list[str]:
    """Return the names of variables and parameters in LaTeX, sorted."""
    plain = re.sub(r"\\(?:text|operatorname)\{[^}]*\}|\\(?:left|right)\b", "", latex)
    return sorted(re.findall(r"(?<![\\a-z])[a-z](?![a-z])|\\(?:alpha|beta|gamma)", plain))


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(st.one_of(elementwise_formulas(), coupled_formulas()), st.integers(30, 120))
def test_any_formula_is_shown_in_every_format(written, width) -> None:
    """Text, LaTeX, its lines and MathML have balanced brackets; pages are well-formed XML."""
    try:
        e = parse(written.text, written.values).expression
    except ChainruleError:
        return
    assert balanced(text_of(e))
    latex = latex_of(e)
    assert balanced(_COMMAND.sub("", latex))
    assert latex.count(r"\left") == latex.count(r"\right")
    ElementTree.fromstring(mathml(latex))
    lines = side_lines(e, width / 2)
    assert _letters("".join(lines)) == _letters(latex)
    assert balanced(_COMMAND.sub("", "".join(lines)))
    for line in lines:  # every line is set by itself: groups and growing brackets end on it
        assert re.sub(r"\\[{}]", "", line).count("{") == re.sub(r"\\[{}]", "", line).count("}")
        assert line.count(r"\left") == line.count(r"\right")
    slope = partial(symbol("a"), symbol("z"))
    remark = f"for z ≥ 1e-05 and {written.text}"
    equations = (Equation((symbol("a"), e)), Equation((slope, e, e), remark, details=(
        Equation((slope, e), "local derivative"),)))  # fmt: skip
    document = Document("a", (Section("Any", (remark,), equations),))
    html = document.to_html()
    ElementTree.fromstring(html[html.index("<body") : html.index("</html>")])
    ElementTree.fromstring(document._repr_html_())
    assert document.to_latex(standalone=True).isascii()
    sentences = document.to_text(width).split("\n1. Any\n")[1].split("\n      a = ")[0]
    assert all(len(line) <= width for line in sentences.splitlines() if " " in line.strip())
