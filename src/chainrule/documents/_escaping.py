"""Plain text as LaTeX that pdfLaTeX reads: every character beyond ASCII by a command."""

from __future__ import annotations

import re
import unicodedata

from chainrule.documents._symbols import GREEK_LETTERS

_GREEK = {letter: name for name, letter in GREEK_LETTERS.items()}
_MATHEMATICS = {
    "≠": r"\ne", "∂": r"\partial", "Σ": r"\Sigma", "≤": r"\le", "≥": r"\ge", "⊙": r"\odot",
    "·": r"\cdot", "∞": r"\infty", "∈": r"\in", "∉": r"\notin", "×": r"\times", "→": r"\to",
    "−": "-", "±": r"\pm", "√": r"\surd", "≈": r"\approx", "′": "'", "″": "''", "ᵀ": r"^{\top}",
    "π": r"\pi", "Δ": r"\Delta", "ℝ": r"\mathbb{R}", "∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset",
    "⊂": r"\subset", "⁻": "^{-}", "ε": r"\varepsilon", "<": "<", ">": ">", "|": "|",
    "↦": r"\mapsto", "∀": r"\forall", "∘": r"\circ", "⇒": r"\Rightarrow", "ⱼ": "_{j}",
    "₀": "_0", "ς": r"\varsigma",
}  # fmt: skip
_TEXT = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "^": r"\^{}", "~": r"\~{}", "…": r"\dots{}", "–": "--", "—": "---",
    "“": "``", "”": "''", "‘": "`", "’": "'", "é": r"\'e", "\u00a0": "~",
}  # fmt: skip


_GREEK_SUM = {"Σ": r"\Sigma"}
# A letter with an index, as z_j, ∂a_p or u_{-1} in a sentence.
INDEXED = re.compile(
    r"(?<![\w.])(?P<sign>∂?)(?P<letter>[A-Za-zΣ])_(?:\{(?P<braced>[^{}]*)\}|(?P<plain>\w)(?!\w))"
)


def escaped(text: str) -> str:
    """Return text in which nothing is a command and everything is ASCII."""
    return "".join(_character(character) for character in text)


def prose_latex(text: str) -> str:
    """Return a sentence as LaTeX, letters with an index set as mathematics."""
    parts, end = [], 0
    for match in INDEXED.finditer(text):
        sign, letter, braced, plain = match.groups()
        index = escaped(braced or plain or "").replace("$", "")
        parts.append(
            escaped(text[end : match.start()] + sign)
            + f"${_GREEK_SUM.get(letter, letter)}_{{{index}}}$"
        )
        end = match.end()
    return "".join(parts) + escaped(text[end:])


def _character(character: str) -> str:
    if character in _TEXT:
        return _TEXT[character]
    if character in _MATHEMATICS:
        return f"${_MATHEMATICS[character]}$"
    if character.isascii():
        return character
    name = unicodedata.name(character, "")
    if character in _GREEK:
        return rf"$\{_GREEK[character]}$"
    digit = unicodedata.digit(character, -1)
    if digit >= 0:
        sign = "_" if name.startswith("SUBSCRIPT") else "^" if "SUPERSCRIPT" in name else ""
        return f"${sign}{{{digit}}}$"
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    if plain and plain != character:
        return escaped(plain)
    return rf"[U+{ord(character):04X}]"
