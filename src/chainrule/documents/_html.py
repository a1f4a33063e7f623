"""Derivations as HTML: MathML, no script, nothing from the network."""

from __future__ import annotations

import html
import re

from chainrule.documents._blocks import block_html
from chainrule.documents._content import Equation, Section
from chainrule.documents._latex import latex_of

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #5b6673;
  --line: #d9dee4; --panel: #f6f8fa; --accent: #0b62b8;
  --second: #b3470b; --third: #3b7d23; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #14181d; --soft: #9aa6b2;
  --line: #323a44; --panel: #1c2229; --accent: #6db3f2;
  --second: #f2a25c; --third: #8fce74; } }
body { background: var(--paper); color: var(--ink); margin: 0;
  font: clamp(16px, 0.7vw + 10px, 24px)/1.55 system-ui, -apple-system,
    "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.3; overflow-wrap: anywhere; }
h1 code { font-size: 0.8em; font-weight: 500; color: var(--soft); }
section, details { border-top: 1px solid var(--line); padding: 0.4rem 0 0.9rem; }
summary, h2 { font-size: 1.1rem; font-weight: 650; margin: 0.6rem 0; color: var(--accent); }
summary { cursor: pointer; }
p { margin: 0.4rem 0; color: var(--soft); max-width: 46rem; }
.equations { overflow-x: auto; padding: 0.2rem 0; }
.equations table { border-collapse: collapse; }
.equations td { padding: 0.28rem 0.3rem; vertical-align: middle; white-space: nowrap; }
.equations td:first-child { text-align: right; }
.equations td.remark { color: var(--soft); padding-left: 1.4rem; }
math { font-size: 1.12em; }
.equations math { display: inline math; math-style: normal; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: 0.8rem 1rem; overflow-x: auto; font-size: 0.85rem; line-height: 1.45; }
figure { margin: 1rem 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
figure svg { color: var(--ink); } figcaption { color: var(--soft); font-size: 0.85rem; }
.scroll { overflow-x: auto; } .data { border-collapse: collapse; }
.data th, .data td { text-align: left; padding: 0.25rem 0.9rem 0.25rem 0;
  border-bottom: 1px solid var(--line); }
.line a { color: var(--soft); text-decoration: none; user-select: none; }
.line:target { background: color-mix(in srgb, var(--accent) 25%, transparent); }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #333; } }
footer { color: var(--soft); font-size: 0.85rem; margin-top: 2rem; }
""".strip()


def mathml(latex: str) -> str:
    """Return LaTeX as MathML."""
    from latex2mathml.converter import convert

    # A lone space is a spacing element the browser draws as nothing; the rest is standard.
    text: str = convert(latex, display="block")
    return re.sub(r' xmlns="[^"]*"', "", text)


def fragment(title: str, sections: tuple[Section, ...]) -> str:
    """Return a derivation as a piece of HTML, for notebooks."""
    parts = [f"<h3>{html.escape(title)}</h3>"]
    for number, section in enumerate(sections, 1):
        parts.append(
            f'<details open=""><summary>{number}. {html.escape(section.title)}</summary>'
            f"{_body(section)}</details>"
        )
    return "\n".join(parts)


def page(title: str, sections: tuple[Section, ...], extra: str = "") -> str:
    """Return a derivation as one self-contained page.

    Parameters
    ----------
    title : str
        The name and the formula, separated by a colon where both are known.
    sections : tuple of Section
    extra : str
        HTML that follows the derivation, as a plot or a certificate.
    """
    name, _, formula = title.rpartition(": ")
    heading = html.escape(name) + (" " if name else "") + f"<code>{html.escape(formula)}</code>"
    body = "\n".join(
        f'<details open=""><summary>{number}. {html.escape(section.title)}</summary>\n'
        f"{_body(section)}</details>"
        for number, section in enumerate(sections, 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{_STYLE}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
{extra}
<footer>Derived by chainrule.</footer>
</main>
</body>
</html>
"""


def _body(section: Section) -> str:
    sentences = "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in section.sentences)
    blocks = "".join(block_html(block) for block in section.blocks)
    if not section.equations:
        return sentences + blocks
    rows = "\n".join(_rows(e) for e in section.equations)
    return f'{sentences}<div class="equations"><table>\n{rows}\n</table></div>\n{blocks}'


def _rows(e: Equation) -> str:
    left, *rights = (mathml(latex_of(side)) for side in e.sides)
    equals = "<math><mo>=</mo></math>"
    remark = f'<td class="remark">{html.escape(e.remark)}</td>' if e.remark else ""
    if not rights:
        return f"<tr><td>{left}</td><td></td><td></td>{remark}</tr>"
    lines = []
    for position, right in enumerate(rights):
        own = left if position == 0 else ""
        last = remark if position == len(rights) - 1 else ""
        lines.append(f"<tr><td>{own}</td><td>{equals}</td><td>{right}</td>{last}</tr>")
    return "\n".join(lines)
