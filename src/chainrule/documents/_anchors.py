"""Names of equations as anchors of a page, and the links between equations and source lines."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from chainrule.documents._content import Equation, Listing, Section
from chainrule.documents._mathml import name_html, prose_html

_MOST_LINES = 4
_PLACEHOLDER = re.compile(r'<a href="#name:([^"]*)">')


class Anchors:
    """What can be linked to on one page; without sections, nothing can."""

    def __init__(self, sections: tuple[Section, ...] = ()) -> None:
        self._ids: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._parts: dict[str, list[str]] = {}
        self._reasons: dict[str, str] = {}
        used: set[str] = set()
        for e in _equations(sections):
            if e.name and e.name not in self._ids:
                self._ids[e.name] = _unused(_slug(e.name), used)
        for section in sections:
            for block in section.blocks:
                if isinstance(block, Listing):
                    self._reasons.update(block.reasons)
                    for found, known in (
                        (block.marks, self._lines),
                        (block.parts, self._parts),
                    ):
                        for line, name in found:
                            lines = known.setdefault(name, [])
                            if f"{block.name}-{line}" not in lines:
                                lines.append(f"{block.name}-{line}")
        self.sections = [_unused(_slug(section.title), used) for section in sections]
        self._written: set[str] = set()

    def own(self, name: str) -> str:
        """Return the ``id`` attribute of an equation, once."""
        if name not in self._ids or name in self._written:
            return ""
        self._written.add(name)
        return f' id="{self._ids[name]}"'

    def link(self, name: str, shown: str) -> str:
        """Return a link to an equation around text that is HTML already."""
        return f'<a href="#{self._ids[name]}">{shown}</a>' if name in self._ids else shown

    def knows(self, name: str) -> bool:
        """Tell whether there is such an equation."""
        return name in self._ids

    def links_of(self, e: Equation) -> str:
        """Return the links from an equation to what belongs to it and to its source lines."""
        shown = [
            self.link(name, name_html(name.rpartition(": ")[2]))
            for name in e.see
            if name in self._ids
        ]
        whole, parts = self._lines.get(e.name, []), self._parts.get(e.name, [])
        if whole or parts:
            lines = (whole or parts)[:_MOST_LINES]
            numbers = (f'<a href="#{line}">{line.rpartition("-")[2]}</a>' for line in lines)
            words = f"{'' if whole else 'in '}line{'s' * (len(lines) > 1)}"
            shown.append(f'<span class="lines">{words} {", ".join(numbers)}</span>')
        elif e.name in self._reasons:
            shown.append(f"<span>{prose_html(self._reasons[e.name])}</span>")
        return " ".join(shown)

    def resolved(self, svg: str) -> str:
        """Return a picture in which the names that links bear have become anchors."""

        def anchor(match: re.Match[str]) -> str:
            name = html.unescape(match[1])
            return f'<a href="#{self._ids[name]}">' if name in self._ids else "<a>"

        return _PLACEHOLDER.sub(anchor, svg)


def _equations(sections: tuple[Section, ...]) -> Iterator[Equation]:
    for section in sections:
        yield from section.equations


def _slug(text: str) -> str:
    return re.sub(r"[^\w]+", "-", text.replace("∂", "d")).strip("-").lower() or "part"


def _unused(slug: str, used: set[str]) -> str:
    found, number = slug, 2
    while found in used:
        found, number = f"{slug}-{number}", number + 1
    used.add(found)
    return found
