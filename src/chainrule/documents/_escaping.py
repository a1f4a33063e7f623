"""Plain text as LaTeX that pdfLaTeX reads: every character beyond ASCII by a command."""

from __future__ import annotations

import re
import unicodedata

from chainrule.documents._symbols import GREEK_COMMANDS, GREEK_LETTERS

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


_WORDS = {"Σ": r"\Sigma", **{word: rf"\mathrm{{{word}}}" for word in ("mean", "max", "min")}}
# A letter or a reduction with an index, as z_j, ∂a_p, mean_k or u_{-1} in a sentence.
_INDEXED = re.compile(
    r"(?<![\w.])(?P<sign>∂?)(?P<letter>[A-Za-zΣ]|mean|max|min)_(?:\{(?P<braced>[^{}]*)\}|(?P<plain>\w)(?!\w))"
)
# A number as computers write it: 2.5e-08.
_POWER_OF_TEN = re.compile(
    r"(?<![\w.])(?P<factor>\d+(?:\.\d+)?)e(?P<exponent>[+-]?\d+)(?![\w.]*\w)"
)

# Beside letters with an index: minus signs, matrices, and letters that are no words or that Greek
# names stand for. I, E and N name functions; "a" is a letter where no noun follows it.
_NO_ARTICLE = (
    r"(?= (?:[=≠≤≥⊙+-]|(?:and|alone|is|in|of|or|by|below|rounds|saturates|saves)\b)"
    r"|[,;:.)\]/·²³]|$)"
)
PROSE = re.compile(
    rf"{_INDEXED.pattern}"
    rf"|{_POWER_OF_TEN.pattern}"
    r"|(?P<minus>(?<![\w)\]])-(?=[\w∂∞(])|(?<=\s)-(?=\s))"
    r"|(?<![\w.])(?P<matrix>[A-Zbn])\[(?P<layer>[l\d])\]"
    rf"|(?<![A-Za-z0-9_.'’])(?P<symbol>{'|'.join(GREEK_LETTERS)}|[b-zJ]|a{_NO_ARTICLE})"
    r"(?![A-Za-z0-9_]|['’.]\w)"
    r"|(?:(?<=∂)|(?<=∂²))(?P<differential>a)\b"
    rf"|(?<![\w.'’])(?P<alone>[WXYZ]|A{_NO_ARTICLE})(?!\w|['’.]\w)"
)


def escaped(text: str) -> str:
    """Return text in which nothing is a command and everything is ASCII."""
    return "".join(_character(character) for character in text)


def breakable(latex: str) -> str:
    """Return escaped text in which a line may end after an operator or a bracket."""
    return re.sub(r"(?<=[\w)])([/*+(])(?=[\w(])", r"\1\\allowbreak{}", latex)


def prose_latex(text: str) -> str:
    """Return a sentence as LaTeX: letters, signs and powers of ten as mathematics."""
    parts, end = [], 0
    for match in PROSE.finditer(text):
        parts += [breakable(escaped(text[end : match.start()])), f"${_mathematics(match)}$"]
        end = match.end()
    joined = "".join(parts) + breakable(escaped(text[end:]))
    return re.sub(r"(?<!\\)\$\$", " ", joined)


def _mathematics(match: re.Match[str]) -> str:
    if match["minus"]:
        return "-"
    if match["letter"]:
        index = escaped(match["braced"] or match["plain"]).replace("$", "")
        sign = r"\partial " if match["sign"] else ""
        return f"{sign}{_WORDS.get(match['letter'], match['letter'])}_{{{index}}}"
    if match["exponent"]:
        factor = "" if match["factor"] == "1" else rf"{match['factor']} \cdot "
        return f"{factor}10^{{{int(match['exponent'])}}}"
    if match["matrix"]:
        letter = match["matrix"]
        letter = letter if letter == "n" else rf"\mathbf{{{letter}}}"
        return rf"{letter}^{{[{match['layer']}]}}"
    if match["alone"]:
        return rf"\mathbf{{{match['alone']}}}"
    symbol = match["symbol"] or match["differential"]
    return GREEK_COMMANDS.get(symbol, rf"\{symbol}" if symbol == "pi" else symbol)


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
