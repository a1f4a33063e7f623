"""Mathematics in HTML: MathML for equations, italic letters with an index in sentences."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from chainrule.documents._escaping import PROSE
from chainrule.documents._symbols import GREEK_LETTERS

_LIMITS = re.compile(
    r"<msub>(<m[io]>(?:&#x02211;|max|min)</m[io]><mrow>(?:(?!</?mrow>).)*</mrow>)</msub>"
)
_FUNCTION = re.compile(r"<mo>([a-z]{2,}\d*)</mo>(?=<mrow><mo stretchy|<mo stretchy)")
# The converter takes names with digits letter by letter: log1p.
_SPELT = re.compile(r"<mo /><mrow>((?:<m[in]>\w</m[in]>)+)</mrow>")
_MEAN = re.compile(r"<msub><mo>mean</mo>(<mrow>(?:(?!</?msub>).)*</mrow>)</msub>")
# A sign that begins a line stands between two operands all the same.
_LEADING_SIGN = re.compile(r'^(<math display="block"><mrow>)<mo>(?=[^<]*</mo>)')
_INFIX = r'\1<mo form="infix">'
_NODE = re.compile(r"([A-Za-z])(?:_?\{([^{}]*)\}|_?(\d+|[a-z]\b))?")


@lru_cache(maxsize=4096)
def mathml(latex: str) -> str:
    """Return LaTeX as MathML."""
    from latex2mathml.converter import convert

    text: str = convert(latex, display="block")
    text = re.sub(r' xmlns="[^"]*"', "", text)
    # Limits stand below signs everywhere, and beside them where the browser finds it too tight;
    # the name of a function is no sign, with room on either side.
    text = _LIMITS.sub(r"<munder>\1</munder>", text)
    text = _FUNCTION.sub(r"<mi>\1</mi>", text)
    text = _SPELT.sub(lambda match: f"<mi>{re.sub('<[^>]*>', '', match[1])}</mi>", text)
    text = _MEAN.sub(r'<msub><mi>mean</mi>\1</msub><mspace width="0.167em" />', text)
    text = text.replace("<mo>&#x02202;</mo>", "<mi>&#x02202;</mi>")
    return text.replace("<mo>&#x0002F;</mo>", '<mo lspace="0em" rspace="0em">/</mo>')


def flowing(parts: tuple[str, ...]) -> str:
    """Return parts of an equation, in LaTeX, as MathML between which a line may end."""
    first, *further = map(mathml, parts)
    return "<wbr />".join([first, *(_LEADING_SIGN.sub(_INFIX, part) for part in further)])


def prose_html(text: str) -> str:
    """Return a sentence as HTML: letters as mathematics, Greek letters, true minus signs."""
    return PROSE.sub(_typeset, html.escape(text, quote=False))


def _typeset(match: re.Match[str]) -> str:
    if match["minus"]:
        return "−"
    if match["letter"]:
        index = (match["braced"] or match["plain"]).replace("-", "−")
        index = f"<i>{index}</i>" if index.isalpha() and len(index) == 1 else index
        letter = match["letter"]
        shown = f"<i>{letter}</i>" if len(letter) == 1 and letter != "Σ" else letter
        return f"{match['sign']}{shown}<sub>{index}</sub>"
    if match["exponent"]:
        factor = "" if match["factor"] == "1" else f"{match['factor']}·"
        return f"{factor}10<sup>{int(match['exponent'])}</sup>".replace("-", "−")
    if match["matrix"]:
        tag = "i" if match["matrix"] == "n" else "b"
        return f"<{tag}>{match['matrix']}</{tag}><sup>[{match['layer']}]</sup>"
    if match["alone"]:
        return f"<b>{match['alone']}</b>"
    symbol = match["symbol"] or match["differential"]
    return f"<i>{GREEK_LETTERS.get(symbol, symbol)}</i>"


def name_html(name: str) -> str:
    """Return the name of a node or of a derivative by one as HTML: ``∂a/∂u3`` with its index."""
    return _NODE.sub(
        lambda m: f"<i>{m[1]}</i><sub>{m[2] or m[3]}</sub>" if m[2] or m[3] else f"<i>{m[1]}</i>",
        html.escape(name),
    )
