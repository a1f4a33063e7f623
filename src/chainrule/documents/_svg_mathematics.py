"""The notation of derivations as SVG text: italic letters, subscripts, Greek, true minus signs."""

from __future__ import annotations

import html
import re

from chainrule.documents._symbols import GREEK_LETTERS

_TOKEN = re.compile(
    r"(?P<word>[A-Za-z]+|Σ)(?:(?P<digits>\d+(?![A-Za-z]))|_\{(?P<braced>[^{}]*)\}|_(?P<plain>\w+))?"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ROOT = re.compile(r"sqrt\((\w+)\)")
_FAMILY = "'Latin Modern Math','STIX Two Text','Cambria Math',Georgia,serif"
# Mathematical fonts hang the root below the line, for TeX to lift it.
_STYLES = {
    "normal": "",
    "italic": ' font-style="italic"',
    "root": ' font-family="system-ui, sans-serif"',
}
_WIDTH, _SUBSCRIPT = 0.56, 0.7
_HALO = ";paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round"


def _runs(text: str) -> list[tuple[str, str, str]]:
    """Return base, style and subscript of what follows one another."""
    runs: list[tuple[str, str, str]] = []
    for match in _TOKEN.finditer(_ROOT.sub(r"√\1", text)):
        if match["other"] is not None:
            sign = match["other"].replace("-", "−")
            if sign == "√":
                runs.append((sign, "root", ""))
                continue
            if runs and runs[-1][1:] == ("normal", ""):
                runs[-1] = (runs[-1][0] + sign, "normal", "")
            else:
                runs.append((sign, "normal", ""))
            continue
        word = match["word"]
        subscript = match["digits"] or match["braced"] or match["plain"] or ""
        letter = GREEK_LETTERS.get(word, word)
        is_italic = len(letter) == 1 and word not in ("I", "Σ")
        runs.append((letter, "italic" if is_italic else "normal", subscript.replace("-", "−")))
    return runs


def mathematics_width(text: str, size: float) -> float:
    """Return about how wide a text is."""
    return sum(
        size * _WIDTH * (len(base) + _SUBSCRIPT * len(subscript))
        for base, _, subscript in _runs(text)
    )


def svg_mathematics(
    text: str, x: float, y: float, size: float, colour: str, *, anchor: str, halo: bool = False
) -> str:
    """Return text in the notation of `text_of` as one ``<text>`` element."""
    spans = ""
    lowered = False
    for base, style, subscript in _runs(text):
        shift = f' dy="{-0.25 * size:.1f}"' if lowered else ""
        spans += f"<tspan{shift}{_STYLES[style]}>{html.escape(base)}</tspan>"
        lowered = bool(subscript)
        if subscript:
            italic = _STYLES["italic" if len(subscript) == 1 and subscript.isalpha() else "normal"]
            spans += (
                f'<tspan{italic} dy="{0.25 * size:.1f}" font-size="{_SUBSCRIPT * size:.1f}">'
                f"{html.escape(subscript)}</tspan>"
            )
    style = f"fill:{colour}{_HALO if halo else ''}"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
        f'font-family="{_FAMILY}" xml:space="preserve" style="{style}">{spans}</text>'
    )
