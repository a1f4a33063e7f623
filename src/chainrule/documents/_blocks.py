"""Tables, figures and listings in every format."""

from __future__ import annotations

import html
import re
import textwrap
from itertools import chain, zip_longest

from chainrule.documents._anchors import Anchors
from chainrule.documents._content import Block, Figure, Listing, Table
from chainrule.documents._escaping import escaped, prose_latex
from chainrule.documents._mathml import prose_html

_NARROWEST = 24  # characters of a column of a table in text
# Characters that a column in LaTeX has at least, and at most, and what lies between two.
_FEWEST, _WIDEST, _GAP = 9, 30, 3


def block_html(block: Block, anchors: Anchors) -> str:
    """Return a block as HTML."""
    if isinstance(block, Table):
        head = "".join(f"<th>{prose_html(cell)}</th>" for cell in block.header)
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{prose_html(cell)}</td>" for cell in row) + "</tr>"
            for row in block.rows
        )
        return f'<div class="scroll"><table class="data"><tr>{head}</tr>\n{rows}</table></div>\n'
    if isinstance(block, Figure):
        caption = prose_html(block.description)
        svg = anchors.resolved(block.svg)
        below = f"<figcaption>{caption}</figcaption>" if caption else ""
        return f'<figure><div class="scroll">{svg}</div>{below}</figure>\n'
    name = html.escape(block.name, quote=True)
    marks, parts = _by_line(block.marks), _by_line(block.parts)
    lines = "\n".join(
        f'<span class="line" id="{name}-{number}">'
        f'<a class="number" href="#{name}-{number}">{number:>4}</a>  '
        f"{_line_html(line, marks.get(number, []), anchors)}"
        f"{_parts_html(parts.get(number, []), anchors)}</span>"
        for number, line in enumerate(block.source.splitlines(), 1)
    )
    return f"<pre>{lines}</pre>\n"


def _line_html(line: str, marks: list[str], anchors: Anchors) -> str:
    """Return a line of source whose names lead to the equations of what they compute."""
    code, hash_sign, comment = line.partition("  # ")
    shown = html.escape(code)
    for mark in marks:
        _, dash, name = mark.rpartition("-")
        if dash and anchors.knows(mark):
            shown = re.sub(
                rf"^(\s*)({re.escape(name)})\b", rf"\1{_link(mark, name, anchors)}", shown
            )
    if not hash_sign:
        return shown
    parts = []
    for part in comment.split(", "):
        name, bracket, rest = part.partition(" (")
        parts.append(_link(name, name, anchors) + html.escape(bracket + rest))
    return f'{shown}  <span class="comment"># {", ".join(parts)}</span>'


def _by_line(pairs: tuple[tuple[int, str], ...]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for number, name in pairs:
        found.setdefault(number, []).append(name)
    return found


def _parts_html(names: list[str], anchors: Anchors) -> str:
    """Return what a line has on its way; it is no part of the source, and not copied with it."""
    links = ", ".join(_link(name, name, anchors) for name in names if anchors.knows(name))
    return f'<span class="within">  contains {links}</span>' if links else ""


def _link(mark: str, name: str, anchors: Anchors) -> str:
    return anchors.link(mark, html.escape(name))


def block_lines(block: Block, width: int) -> list[str]:
    """Return a block as lines of text."""
    if isinstance(block, Figure):
        return textwrap.wrap(f"[Figure: {block.description}]", width)
    if isinstance(block, Listing):
        return [f"{n:>4}  {line}" for n, line in enumerate(block.source.splitlines(), 1)]
    rows = [block.header, *block.rows]
    widths = [max(1, *(len(row[i]) for row in rows)) for i in range(len(block.header))]
    excess = sum(widths) + 2 * (len(widths) - 1) - width
    if excess > 0:
        widest = widths.index(max(widths))
        widths[widest] = max(_NARROWEST, widths[widest] - excess)
    lines = [_row_lines(row, widths) for row in rows]
    return [*lines[0], "  ".join("-" * size for size in widths), *chain(*lines[1:])]


def _row_lines(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Return a row of a table as lines, cells that are too wide broken between words."""
    cells = [textwrap.wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
    return [
        "  ".join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def block_latex(block: Block) -> str:
    """Return a block as LaTeX; a figure by its description."""
    if isinstance(block, Figure):
        return rf"\emph{{Figure: {escaped(block.description)}}}\par"
    if isinstance(block, Listing):
        lines = (escaped(line).replace(" ", "~") for line in block.source.splitlines())
        body = "".join(rf"\texttt{{{line}}}\par" + "\n" for line in lines)
        return rf"{{\footnotesize\raggedright\noindent {body}}}"
    columns = "".join(
        rf"p{{\dimexpr {share:.3f}\linewidth-2\tabcolsep\relax}}" for share in _shares(block)
    )
    rows = [" & ".join(map(prose_latex, row)) + r" \\" for row in (block.header, *block.rows)]
    body = "\n".join([rows[0] + r" \hline", *rows[1:]])
    return rf"\par\noindent\begin{{tabular}}{{{columns}}}" + f"\n{body}\n" + r"\end{tabular}\par"


def _shares(table: Table) -> list[float]:
    """Return what share of a line each column has: more where longer words stand."""
    columns = zip(table.header, *table.rows, strict=True)
    weights = [_GAP + min(_WIDEST, max(_FEWEST, *map(len, column))) for column in columns]
    return [0.999 * weight / sum(weights) for weight in weights]
