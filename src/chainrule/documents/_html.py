"""Documents as HTML: MathML, no script, nothing from the network."""

from __future__ import annotations

import html

from chainrule.documents._anchors import Anchors
from chainrule.documents._blocks import block_html
from chainrule.documents._content import Equation, Listing, Section
from chainrule.documents._latex import latex_of
from chainrule.documents._lines import pieces
from chainrule.documents._mathml import flowing, mathml, prose_html
from chainrule.documents._style import NOTEBOOK_SHEET, PAGE_SHEET, SHEET
from chainrule.formulas import Expression

_EQUALS = "<math><mo>=</mo></math>"
_WIDE, _NARROW = 58.0, 22.0  # letters that a projector has room for, and a telephone


def fragment(title: str, sections: tuple[Section, ...], formula: Equation | None = None) -> str:
    """Return a document as a piece of HTML with its own colours, for notebooks."""
    anchors = Anchors()
    body = "\n".join(_section(number, s, "", anchors) for number, s in enumerate(sections, 1))
    return (
        f'<div class="chainrule"><style>\n{SHEET}\n{NOTEBOOK_SHEET}\n</style>\n'
        f"{_heading(title, formula)}\n{body}\n</div>"
    )


def page(title: str, sections: tuple[Section, ...], formula: Equation | None = None) -> str:
    """Return a document as one self-contained page.

    Parameters
    ----------
    title : str
        The name and the formula, separated by a colon where both are known.
    sections : tuple of Section
    formula : Equation, optional
        What is set large below the title.
    """
    anchors = Anchors(sections)
    contents = "\n".join(
        f'<li><a href="#{anchor}">{prose_html(section.title)}</a></li>'
        for section, anchor in zip(sections, anchors.sections, strict=True)
    )
    body = "\n".join(
        _section(number, section, anchor, anchors)
        for number, (section, anchor) in enumerate(zip(sections, anchors.sections, strict=True), 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{SHEET}
{PAGE_SHEET}
</style>
</head>
<body class="chainrule">
<div class="page">
{_heading(title, formula)}
<nav><details open=""><summary>Contents</summary><ol>
{contents}
</ol></details></nav>
<main>
{body}
</main>
<footer>Derived by chainrule.{_how_to_read(sections)}</footer>
</div>
</body>
</html>
"""


def _heading(title: str, formula: Equation | None) -> str:
    name, _, text = title.rpartition(": ")
    if formula is None:
        return f"<header><h1>{html.escape(title)}</h1></header>"
    is_formula = " = " in text
    large = name or ("Derivation" if is_formula else text)
    code = f"<code>{html.escape(text)}</code>" if is_formula else ""
    shown = f'<div class="formula">{_inline(formula)}</div>'
    return f"<header><h1>{html.escape(large)}</h1>{shown}{code}</header>"


def _how_to_read(sections: tuple[Section, ...]) -> str:
    has_source = any(isinstance(block, Listing) for s in sections for block in s.blocks)
    how = (
        " Steps unfold; line numbers lead to the source that computes a node, and names in it back."
    )
    return how if has_source else ""


def _section(number: int, section: Section, anchor: str, anchors: Anchors) -> str:
    identity = f' id="{anchor}"' if anchor else ""
    is_open = ' open=""' if section.is_open else ""
    return (
        f'<details class="section"{identity}{is_open}>'
        f"<summary><h2>{number}. {prose_html(section.title)}</h2></summary>\n"
        f"{_body(section, anchors)}</details>"
    )


def _body(section: Section, anchors: Anchors) -> str:
    parts = [f"<p>{prose_html(sentence)}</p>\n" for sentence in section.sentences]
    rows: list[str] = []
    for e in section.equations:
        if e.details:
            parts += [_table(rows), _step(e, anchors)]
            rows = []
        else:
            rows.append(_rows(e, anchors))
    parts.append(_table(rows))
    parts += [block_html(block, anchors) for block in section.blocks]
    return "".join(parts)


def _table(rows: list[str]) -> str:
    if not rows:
        return ""
    body = "\n".join(rows)
    return f'<div class="scroll equations"><table>\n{body}\n</table></div>\n'


def _step(e: Equation, anchors: Anchors) -> str:
    """Return an equation whose last side is seen, and which unfolds to the others."""
    left, *_, last = e.sides
    links = anchors.links_of(e)
    shown = f' <span class="links">{links}</span>' if links else ""
    remark = f' <span class="links">{prose_html(e.remark)}</span>' if e.remark else ""
    local = [detail for detail in e.details if len(detail.sides) > 1]
    remarks = [detail for detail in e.details if len(detail.sides) == 1]
    inner = [_rows(detail, anchors) for detail in (*local, Equation(e.sides), *remarks)]
    summary = _inline(Equation((left, last)))
    return (
        f'<details class="step"{anchors.own(e.name)}><summary>{summary}{remark}{shown}</summary>\n'
        f"{_table(inner)}</details>\n"
    )


def _inline(e: Equation) -> str:
    return f" {_EQUALS} ".join(_side(side) for side in dict.fromkeys(e.sides))


def _side(e: Expression) -> str:
    """Return a side of an equation that goes on in the next line where there is no room for it.

    Where wide and narrow screens break it at different places, both are there, and the style
    shows one.
    """
    wide, narrow = (tuple(text for text, _ in pieces(e, width)) for width in (_WIDE, _NARROW))
    if wide == narrow:
        return flowing(wide)
    return f'<span class="wide">{flowing(wide)}</span><span class="narrow">{flowing(narrow)}</span>'


def _rows(e: Equation, anchors: Anchors) -> str:
    left, *rights = (mathml(latex_of(e.sides[0])), *map(_side, e.sides[1:]))
    if not rights:
        return f'<tr><td>{left}</td><td colspan="2">{prose_html(e.remark)}</td></tr>'
    links = anchors.links_of(e)
    lines = []
    for position, right in enumerate(rights):
        own, identity, beside = "", "", ""
        if position == len(rights) - 1 and e.remark:
            beside += f' <span class="remark">{prose_html(e.remark)}</span>'
        if position == 0:
            own, identity = left, anchors.own(e.name)
            beside += f' <span class="links">{links}</span>' if links else ""
        cells = f'<td>{own}</td><td>{_EQUALS}</td><td class="side">{right}{beside}</td>'
        lines.append(f"<tr{identity}>{cells}</tr>")
    return "\n".join(lines)
