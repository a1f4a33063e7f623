"""The parts of a document, from which every rendering is made."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.formulas import Expression


@dataclass(frozen=True)
class Equation:
    """A chain ``sides[0] = sides[1] = …``, with a remark.

    Parameters
    ----------
    sides : tuple of Expression
    remark : str
        What a reader needs beside it: a range, a reason.
    """

    sides: tuple[Expression, ...]
    remark: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of short texts under a header.

    Parameters
    ----------
    header : tuple of str
    rows : tuple of tuple of str
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture, which HTML alone shows.

    Parameters
    ----------
    svg : str
        One ``<svg>`` element without scripts, in the page's own colours.
    description : str
        What is seen, for those who cannot see it and for other formats.
    """

    svg: str
    description: str


@dataclass(frozen=True)
class Listing:
    """Source code whose lines can be linked to.

    Parameters
    ----------
    source : str
    name : str
        Unique in a document; line 12 has the anchor ``name-12``.
    """

    source: str
    name: str


Block = Table | Figure | Listing


@dataclass(frozen=True)
class Section:
    """A titled part of a document: sentences, then equations, then anything else.

    Parameters
    ----------
    title : str
    sentences : tuple of str
    equations : tuple of Equation
    blocks : tuple of Table, Figure or Listing
    """

    title: str
    sentences: tuple[str, ...] = ()
    equations: tuple[Equation, ...] = ()
    blocks: tuple[Block, ...] = ()
