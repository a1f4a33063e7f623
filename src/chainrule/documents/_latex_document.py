"""Documents as LaTeX."""

from __future__ import annotations

from chainrule.documents._blocks import block_latex
from chainrule.documents._content import Equation, Section
from chainrule.documents._escaping import breakable, escaped, prose_latex
from chainrule.documents._latex import latex_of
from chainrule.documents._lines import WIDTH, letters, sized_lines

_BELOW = "\\\\\n& "
_LINE, _OF_TEXT = 64.0, 0.7  # letters of mathematics that a line holds, and how wide one of text is


def sections_latex(title: str, sections: tuple[Section, ...]) -> str:
    """Return a derivation as the body of a LaTeX document (it needs ``amsmath``)."""
    heading = breakable(escaped(title))
    lines = [rf"\section*{{\raggedright {heading}}}"]
    for section in sections:
        lines.append(rf"\subsection*{{{prose_latex(section.title)}}}")
        lines += [prose_latex(sentence) + r"\par" for sentence in section.sentences]
        if section.equations:
            lines.append(r"\begin{align*}")
            lines.append(" \\\\\n".join(_aligned(e) for e in section.equations))
            lines.append(r"\end{align*}")
        lines += [block_latex(block) for block in section.blocks]
    return "\n".join(lines)


def _aligned(e: Equation) -> str:
    left, *rights = e.sides
    sides = [sized_lines(right) for right in rights]
    written = (" \\\\\n&\\quad ".join(line for line, _ in side) for side in sides)
    text = " &= ".join([latex_of(left), " \\\\\n&= ".join(written)] if sides else [latex_of(left)])
    if not e.remark:
        return text
    said = _remark(e.remark)
    if not sides:
        return f"{text} & {said}"
    filled = letters(left) + sides[-1][-1][1] + _OF_TEXT * len(e.remark)
    return f"{text} {_BELOW if filled > _LINE else ''}" + rf"\qquad {said}"


def _remark(text: str) -> str:
    shown = prose_latex(text)
    if len(text) * _OF_TEXT > WIDTH:
        return rf"\parbox{{0.75\linewidth}}{{\raggedright {shown}}}"
    return rf"\text{{{shown}}}"


def standalone_latex(title: str, sections: tuple[Section, ...]) -> str:
    """Return a whole LaTeX document, which pdfLaTeX compiles."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{amsmath,amssymb}",
            r"\usepackage[margin=2cm]{geometry}",
            r"\allowdisplaybreaks",
            r"\setlength{\parindent}{0pt}",
            r"\begin{document}",
            sections_latex(title, sections),
            r"\end{document}",
            "",
        ]
    )
