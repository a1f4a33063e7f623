"""Mathematics in HTML: MathML for equations, italic letters with an index in sentences."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from chainrule.documents._escaping import INDEXED
from chainrule.documents._symbols import GREEK_LETTERS

# Beside letters with an index: minus signs, matrices, and letters that are no words or that Greek
# names stand for. I, E and N name functions; "a" is a letter where no noun follows it.
_NO_ARTICLE = r"(?= (?:[=≠≤≥]|(?:and|alone|is|in|of|or|by|below|rounds|saves)\b)|[,;:.)\]]|$)"
_PROSE = re.compile(
    rf"{INDEXED.pattern}"
    r"|(?P<minus>(?<![\w)\]])-(?=[\w∂∞(])|(?<=\s)-(?=\s))"
    rf"|(?<![A-Za-z0-9_.'’])(?P<symbol>{'|'.join(GREEK_LETTERS)}|[b-zJ]|a{_NO_ARTICLE})"
    r"(?![A-Za-z0-9_]|['’.]\w)"
    r"|(?:(?<=∂)|(?<=∂²))(?P<differential>a)\b"
    rf"|(?<![\w.])(?P<matrix>[A-Zb])\[(?P<layer>[l\d])\]"
    rf"|(?<![\w.'’])(?P<alone>[WXYZ]|A{_NO_ARTICLE})(?!\w|['’.]\w)"
)
_NODE = re.compile(r"([A-Za-z])(?:_?\{([^{}]*)\}|_?(\d+|[a-z]\b))?")


@lru_cache(maxsize=4096)
def mathml(latex: str) -> str:
    """Return LaTeX as MathML."""
    from latex2mathml.converter import convert

    # A lone space is a spacing element the browser draws as nothing; the rest is standard.
    text: str = convert(latex, display="block")
    return re.sub(r' xmlns="[^"]*"', "", text)


def prose_html(text: str) -> str:
    """Return a sentence as HTML: letters as mathematics, Greek letters, true minus signs."""
    return _PROSE.sub(_typeset, html.escape(text, quote=False))


def _typeset(match: re.Match[str]) -> str:
    if match["minus"]:
        return "−"
    if match["letter"]:
        index = match["braced"] or match["plain"]
        return f"{match['sign']}<i>{match['letter']}</i><sub>{index}</sub>"
    if match["matrix"]:
        return f"<b>{match['matrix']}</b><sup>[{match['layer']}]</sup>"
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
