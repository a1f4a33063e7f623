"""Polynomials on intervals that come with the package, of the catalogue's functions in pieces.

They are the same wherever they are fitted, which takes about a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from chainrule.formulas import Formula
from chainrule.kernels.fitting._pieces import Decay, InPieces, Piece, Side

FILE = "pieces.json"


def kept_pieces(formula: Formula, *, slope: bool) -> InPieces | None:
    """Return the value or the slope of a function in pieces, if they come with the package."""
    data = _kept().get(name_of_pieces(formula, slope=slope))
    if data is None:
        return None
    left, right = (_side(data[word]) for word in ("left", "right"))
    return InPieces(left, right, tuple(data["relation"]))


def name_of_pieces(formula: Formula, *, slope: bool) -> str:
    """Return the name under which they are kept."""
    values = f" {formula.parameters!r}" if formula.parameters else ""
    return f"{'slope of ' if slope else ''}{formula.text}{values}"


def _side(data: Mapping[str, Any] | None) -> Side | None:
    if data is None:
        return None
    pieces = (
        Piece(**{**piece, "coefficients": tuple(piece["coefficients"])}) for piece in data["pieces"]
    )
    decay = data["decay"] and Decay(
        phase=tuple((power, coefficient) for power, coefficient in data["decay"]["phase"]),
        end=data["decay"]["end"],
        scale=data["decay"]["scale"],
        powers=tuple(data["decay"]["powers"]),
        zeros=tuple((high, low) for high, low in data["decay"]["zeros"]),
    )
    line = data["line"] and (data["line"][0], data["line"][1])
    return Side(tuple(pieces), decay, line)


@cache
def _kept() -> dict[str, Any]:
    file = resources.files("chainrule.kernels").joinpath(FILE)
    return dict(json.loads(file.read_text(encoding="utf-8")))
