"""Where layers ``h(z_j) + t(T)`` or ``h(z_j) t(T)`` with the same outputs may lie.

Such layers have all h(z_j) moved, or multiplied, by one number. That leaves one unknown, whatever
number of units a layer has: along it outputs of one unit are compared with what they were. All of
that is done in floating point: what is found has to be checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from chainrule.derivations.algebra._arithmetic import rebuilt
from chainrule.derivations.output_forms._layer_arrays import Program
from chainrule.derivations.output_forms.rising._named_total import separated, with_total_named
from chainrule.derivations.output_forms.rising._shared_ranges import PLACES
from chainrule.formulas import Expression

_PATTERNS = ((1, 1), (1, 3), (1, 14))  # how many units have each of two values
_VALUES = (-4.0, -2.5, -1.0, -0.3, 0.4, 1.2, 2.0, 3.5)
_MOST_FOUND, _APART = 4, 0.05


def shifted_layers_alike(
    e: Expression, values: Mapping[str, float]
) -> Iterator[tuple[list[float], list[float]]]:
    """Yield layers, and others near which some with the same outputs may lie.

    Parameters
    ----------
    e : Expression
        A layer-coupled formula.
    values : mapping of str to float
        Of the parameters.
    """
    parts = with_total_named(rebuilt(e))
    if parts is None:
        return
    whole = Program.of(e)
    for own, _, is_product in separated(parts[0]):
        heights = Program.of(own).run({**values, "z": PLACES[None, :]}, (1, len(PLACES)))[0]
        usable = np.isfinite(heights)
        heights, places = heights[usable], PLACES[usable]
        if (np.diff(heights) < 0).all():
            heights, places = heights[::-1], places[::-1]
        # What saturates says nothing of where it came from.
        is_new = np.append(True, np.diff(heights) > 0)
        heights, places = heights[is_new], places[is_new]
        if len(heights) > len(PLACES) // 4 and (np.diff(heights) > 0).all():
            for sizes in _PATTERNS:
                with np.errstate(all="ignore"):
                    found = list(
                        _moved(whole, own, values, (heights, places), sizes, is_product=is_product)
                    )
                yield from found


def _moved(
    whole: Program,
    h: Expression,
    values: Mapping[str, float],
    graph_of_h: tuple[Any, Any],
    sizes: tuple[int, ...],
    *,
    is_product: bool,
) -> Iterator[tuple[list[float], list[float]]]:
    heights, places = graph_of_h
    found = 0
    for z in map(np.array, product(_VALUES, repeat=len(sizes))):
        own = Program.of(h).run({**values, "z": z[None, :]}, (1, len(z)))[0]
        for unit, place in enumerate(z):  # that goes everywhere, and takes the others with it
            number = heights[:, None] / own[unit] if is_product else heights[:, None] - own[unit]
            ways = own * np.where(number > 0, number, np.nan) if is_product else own + number
            layers = np.interp(ways, heights, places, left=np.nan, right=np.nan)
            layers = np.repeat(np.vstack([z, layers]), sizes, axis=1)
            first = whole.run({**values, "z": layers}, layers.shape)[:, 0]
            apart = first[1:] - first[0]
            is_elsewhere = (places[:-1] > place + _APART) | (places[1:] < place - _APART)
            for j in np.flatnonzero((apart[:-1] * apart[1:] < 0) & is_elsewhere)[:1]:
                share = apart[j] / (apart[j] - apart[j + 1])
                start = (1 - share) * layers[1 + j] + share * layers[2 + j]
                yield layers[0].tolist(), start.tolist()
                found += 1
        if found >= _MOST_FOUND:
            return
