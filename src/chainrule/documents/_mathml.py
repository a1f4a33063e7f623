"""Mathematics in HTML: MathML for equations, italic letters with an index in sentences."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from chainrule.documents._escaping import INDEXED

_NODE = re.compile(r"([A-Za-z])(?:_?\{([^{}]*)\}|_?(\d+|[a-z]\b))?")


@lru_cache(maxsize=4096)
def mathml(latex: str) -> str:
    """Return LaTeX as MathML."""
    from latex2mathml.converter import convert

    # A lone space is a spacing element the browser draws as nothing; the rest is standard.
    text: str = convert(latex, display="block")
    return re.sub(r' xmlns="[^"]*"', "", text)


def prose_html(text: str) -> str:
    """Return a sentence as HTML, letters with an index set as mathematics."""

    def shown(match: re.Match[str]) -> str:
        sign, letter, braced, plain = match.groups()
        return f"{sign}<i>{letter}</i><sub>{braced or plain or ''}</sub>"

    return INDEXED.sub(shown, html.escape(text, quote=False))


def name_html(name: str) -> str:
    """Return the name of a node or of a derivative by one as HTML: ``∂a/∂u3`` with its index."""
    return _NODE.sub(
        lambda m: f"<i>{m[1]}</i><sub>{m[2] or m[3]}</sub>" if m[2] or m[3] else f"<i>{m[1]}</i>",
        html.escape(name),
    )
