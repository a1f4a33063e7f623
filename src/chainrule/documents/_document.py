"""A document: a title and sections, rendered as text, LaTeX and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainrule.documents._content import Section
from chainrule.documents._html import fragment, page
from chainrule.documents._latex import sections_latex, standalone_latex
from chainrule.documents._text import sections_text


@dataclass(frozen=True)
class Document:
    """A title and sections that display themselves in a terminal and in a notebook.

    Parameters
    ----------
    title : str
        The name and the formula, separated by a colon where both are known.
    sections : tuple of Section

    Examples
    --------
    >>> print(Document("Nothing", (Section("Empty", ("No equation.",)),)))
    Nothing
    =======
    <BLANKLINE>
    1. Empty
       No equation.
    """

    title: str
    sections: tuple[Section, ...]

    def to_text(self, width: int = 100) -> str:
        """Return the document for a terminal `width` characters wide."""
        return sections_text(self.title, self.sections, width)

    def to_latex(self, *, standalone: bool = False) -> str:
        """Return the body of a LaTeX document that loads ``amsmath``, or a whole document."""
        if standalone:
            return standalone_latex(self.title, self.sections)
        return sections_latex(self.title, self.sections)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return one self-contained page; write it where a path is given."""
        text = page(self.title, self.sections)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return fragment(self.title, self.sections)
