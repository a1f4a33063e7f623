"""Documents, and what shows itself as one: in a terminal, a notebook, a paper, a page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.documents._content import Section
from chainrule.documents._html import fragment, page
from chainrule.documents._latex import sections_latex, standalone_latex
from chainrule.documents._text import sections_text


class Documented(ABC):
    """What can be written down as a document, and displays itself."""

    @property
    @abstractmethod
    def document(self) -> Document:
        """The document."""

    def to_text(self, width: int = 100) -> str:
        """Return the text for a terminal `width` characters wide."""
        document = self.document
        return sections_text(document.title, document.sections, width)

    def to_latex(self, *, standalone: bool = False) -> str:
        """Return the body of a LaTeX document that loads ``amsmath``, or a whole document."""
        written = standalone_latex if standalone else sections_latex
        return written(self.document.title, self.document.sections)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return one self-contained page; write it where a path is given."""
        text = page(self.document.title, self.document.page_sections())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return fragment(self.document.title, self.document.sections)


@dataclass(frozen=True)
class Document(Documented):
    """A title and sections.

    Parameters
    ----------
    title : str
        The name and the formula, separated by a colon where both are known.
    sections : tuple of Section
    supplements : callable, optional
        Returns the sections that a page alone has, computed when one is made.

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
    supplements: Callable[[], tuple[Section, ...]] | None = field(default=None, compare=False)

    @property
    def document(self) -> Document:
        """The document itself."""
        return self

    def page_sections(self) -> tuple[Section, ...]:
        """Return the sections, and those that a page alone has."""
        return self.sections + (self.supplements() if self.supplements else ())
