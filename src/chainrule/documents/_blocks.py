"""Tables, figures and listings in every format."""

from __future__ import annotations

import html
import textwrap

from chainrule.documents._content import Block, Figure, Listing, Table
from chainrule.documents._escaping import escaped


def block_html(block: Block) -> str:
    """Return a block as HTML."""
    if isinstance(block, Table):
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in block.header)
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in block.rows
        )
        return f'<div class="scroll"><table class="data"><tr>{head}</tr>\n{rows}</table></div>\n'
    if isinstance(block, Figure):
        caption = html.escape(block.description)
        return f"<figure>{block.svg}<figcaption>{caption}</figcaption></figure>\n"
    name = html.escape(block.name, quote=True)
    lines = "\n".join(
        f'<span class="line" id="{name}-{number}"><a href="#{name}-{number}">{number:>4}</a>  '
        f"{html.escape(line)}</span>"
        for number, line in enumerate(block.source.splitlines(), 1)
    )
    return f"<pre>{lines}</pre>\n"


def block_lines(block: Block, width: int) -> list[str]:
    """Return a block as lines of text."""
    if isinstance(block, Figure):
        return textwrap.wrap(f"[Figure: {block.description}]", width)
    if isinstance(block, Listing):
        return [f"{n:>4}  {line}" for n, line in enumerate(block.source.splitlines(), 1)]
    rows = [block.header, *block.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(block.header))]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [lines[0], "  ".join("-" * size for size in widths), *lines[1:]]


def block_latex(block: Block) -> str:
    """Return a block as LaTeX; a figure by its description."""
    if isinstance(block, Figure):
        return rf"\emph{{Figure: {escaped(block.description)}}}\par"
    if isinstance(block, Listing):
        lines = (escaped(line).replace(" ", "~") for line in block.source.splitlines())
        body = "".join(rf"\texttt{{{line}}}\par" + "\n" for line in lines)
        return rf"{{\footnotesize\raggedright\noindent {body}}}"
    size = 0.92 / len(block.header)
    columns = rf"p{{{size:.3f}\linewidth}}" * len(block.header)
    rows = (" & ".join(escaped(cell) for cell in row) + r" \\" for row in block.rows)
    head = " & ".join(escaped(cell) for cell in block.header) + r" \\ \hline"
    body = "\n".join([head, *rows])
    return rf"\par\noindent\begin{{tabular}}{{{columns}}}" + f"\n{body}\n" + r"\end{tabular}\par"
