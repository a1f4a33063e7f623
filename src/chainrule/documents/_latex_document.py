"""Documents as LaTeX."""

from __future__ import annotations

import re

from chainrule.documents._blocks import block_latex
from chainrule.documents._content import Equation, Section
from chainrule.documents._escaping import escaped, prose_latex
from chainrule.documents._latex import latex_of
from chainrule.documents._lines import side_lines


def sections_latex(title: str, sections: tuple[Section, ...]) -> str:
    """Return a derivation as the body of a LaTeX document (it needs ``amsmath``)."""
    heading = re.sub(r"([/*+])", r"\1\\allowbreak{}", escaped(title))
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
    sides = [" \\\\\n&\\quad ".join(side_lines(right)) for right in rights]
    text = (
        " \\\\\n&= ".join([f"{latex_of(left)} &= {sides[0]}", *sides[1:]])
        if sides
        else latex_of(left)
    )
    return rf"{text} && \text{{{prose_latex(e.remark)}}}" if e.remark else text


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
