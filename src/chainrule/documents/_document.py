"""Documents, and what shows itself as one: in a terminal, a notebook, a paper, a page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.documents._content import Equation, Section
from chainrule.documents._html import fragment, page
from chainrule.documents._latex_document import sections_latex, standalone_latex
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
        document = self.document
        text = page(document.title, document.page_sections(), document.formula)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return fragment(self.document.title, self.document.sections, self.document.formula)

    def _repr_latex_(self) -> str:
        return self.to_latex()


@dataclass(frozen=True)
class Document(Documented):
    """A title and sections.

    Parameters
    ----------
    title : str
        The name and the formula, separated by a colon where both are known.
    sections : tuple of Section
    supplements : callable, optional
        Returns the sections of its page, which has more to show, computed when one is made.
    formula : Equation, optional
        What a page sets large below the title.

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
    formula: Equation | None = None

    @property
    def document(self) -> Document:
        """The document itself."""
        return self

    def page_sections(self) -> tuple[Section, ...]:
        """Return the sections of its page."""
        return self.supplements() if self.supplements else self.sections
