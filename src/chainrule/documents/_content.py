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
    name : str
        What links call it; empty where nothing links to it.
    details : tuple of Equation
        What it rests on. A page shows the last side, and unfolds to these and to all sides.
    see : tuple of str
        Names of equations that belong to it.
    """

    sides: tuple[Expression, ...]
    remark: str = ""
    name: str = ""
    details: tuple[Equation, ...] = ()
    see: tuple[str, ...] = ()


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
    marks : tuple of (int, str)
        Lines, counted from 1, and the names of equations that they compute.
    parts : tuple of (int, str)
        Lines that have the value of an equation on their way.
    reasons : tuple of (str, str)
        Names of equations, and why no line need compute them.
    """

    source: str
    name: str
    marks: tuple[tuple[int, str], ...] = ()
    parts: tuple[tuple[int, str], ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()


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
    is_open : bool
        Whether a page shows it unfolded.
    """

    title: str
    sentences: tuple[str, ...] = ()
    equations: tuple[Equation, ...] = ()
    blocks: tuple[Block, ...] = ()
    is_open: bool = True
