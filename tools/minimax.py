"""Polynomials of least weighted error, rounded to float64 or float32.

A Remez exchange on a fine grid finds the polynomial in many digits. To float64 its coefficients
are rounded at once; to float32 one after another, and those that remain are fitted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp

GRID_POINTS_PER_EXTREMUM = 24
EXCHANGES = 30
ORIGIN = mp.mpf("1e-9")

Function = Callable[[mp.mpf], mp.mpf]


class Fit(NamedTuple):
    """One polynomial: what it approximates, how an error weighs, where, and its degree."""

    target: Function
    weight: Function
    left: mp.mpf
    right: mp.mpf
    degree: int


def minimax(fit: Fit, slack: str = "0.001") -> tuple[list[mp.mpf], mp.mpf]:
    """Return the coefficients, lowest power first, and the largest weighted error.

    That error is the smallest possible but for the given part of it.
    """
    unknowns = fit.degree + 2
    centre, half = (fit.left + fit.right) / 2, (fit.right - fit.left) / 2
    count = GRID_POINTS_PER_EXTREMUM * unknowns
    grid = [centre - half * mp.cos(mp.pi * i / count) for i in range(count + 1)]
    # At the origin the weights vanish and the targets are limits, so the grid leaves it out.
    grid = [x for x in grid if abs(x) > ORIGIN]
    targets = [fit.target(x) for x in grid]
    weights = [abs(fit.weight(x)) for x in grid]
    reference = [(i * (len(grid) - 1)) // (unknowns - 1) for i in range(unknowns)]
    for _ in range(EXCHANGES):
        matrix, right_hand_side = mp.matrix(unknowns, unknowns), mp.matrix(unknowns, 1)
        for row, index in enumerate(reference):
            for column in range(unknowns - 1):
                matrix[row, column] = grid[index] ** column
            matrix[row, unknowns - 1] = (-1) ** row / weights[index]
            right_hand_side[row] = targets[index]
        solution = mp.lu_solve(matrix, right_hand_side)
        coefficients = [solution[i] for i in range(unknowns - 1)]
        errors = [
            (mp.polyval(coefficients[::-1], x) - target) * weight
            for x, target, weight in zip(grid, targets, weights, strict=True)
        ]
        extrema: list[int] = []
        for index, error in enumerate(errors):
            if extrema and (errors[extrema[-1]] > 0) == (error > 0):
                if abs(error) > abs(errors[extrema[-1]]):
                    extrema[-1] = index
            else:
                extrema.append(index)
        _thin(extrema, errors, unknowns)
        worst = max(abs(error) for error in errors)
        if len(extrema) < unknowns:
            raise ArithmeticError("the error alternates too rarely: the exchange broke down")
        if worst < (1 + mp.mpf(slack)) * abs(solution[unknowns - 1]):
            return coefficients, worst
        reference = extrema
    raise ArithmeticError("the exchange did not settle")


def _thin(extrema: list[int], errors: list[mp.mpf], count: int) -> None:
    """Leave the given number of extrema, which still alternate: the small ones go."""
    while len(extrema) > count:
        sizes = [abs(errors[index]) for index in extrema]
        least = sizes.index(min(sizes))
        last = len(extrema) - 1
        if 0 < least < last and last > count:
            beside = least - 1 if sizes[least - 1] < sizes[least + 1] else least + 1
            del extrema[max(least, beside)], extrema[min(least, beside)]
        else:
            extrema.pop(0 if sizes[0] < sizes[-1] else -1)


class Fitted(NamedTuple):
    """Rounded coefficients, what the constant term lost, and the largest error before rounding."""

    coefficients: list[float]
    constant_low: float
    worst: mp.mpf


def double_fit(fit: Fit) -> Fitted:
    """Return the polynomial in float64."""
    coefficients, worst = minimax(fit)
    return Fitted([float(c) for c in coefficients], float(split(coefficients[0], 53)[1]), worst)


def single_fit(fit: Fit) -> Fitted:
    """Return the polynomial in float32; after every rounding the other coefficients are refitted.

    Where the weight vanishes at zero, higher powers can make up for what lower ones lose, so the
    lowest is rounded first; elsewhere the highest. The error is that before the last rounding.
    """
    return _rounded_up(fit) if abs(fit.weight(ORIGIN)) < mp.sqrt(ORIGIN) else _rounded_down(fit)


def _rounded_up(fit: Fit) -> Fitted:
    """Round from the lowest power up."""
    rounded: list[float] = []

    def rest(x: mp.mpf) -> mp.mpf:
        return (fit.target(x) - mp.polyval(rounded[::-1], x)) / x**done

    def rest_weight(x: mp.mpf) -> mp.mpf:
        return fit.weight(x) * x**done

    for done in range(fit.degree + 1):
        coefficients, worst = minimax(
            Fit(rest, rest_weight, fit.left, fit.right, fit.degree - done), slack="0.05"
        )
        rounded.append(single(coefficients[0]))
    return Fitted(rounded, 0.0, worst)


def _rounded_down(fit: Fit) -> Fitted:
    """Round from the highest power down."""
    rounded: list[float] = []

    def rest(x: mp.mpf) -> mp.mpf:
        return fit.target(x) - x ** (degree + 1) * mp.polyval(rounded, x)

    for degree in range(fit.degree, -1, -1):
        coefficients, worst = minimax(fit._replace(target=rest, degree=degree), slack="0.05")
        rounded.append(single(coefficients[degree]))
    return Fitted(rounded[::-1], single(coefficients[0] - rounded[-1]), worst)


def single(value: mp.mpf) -> float:
    """Return the nearest float32, which is normal here."""
    return float(split(value, 24)[0])


def split(value: mp.mpf, bits: int) -> tuple[mp.mpf, mp.mpf]:
    """Return the leading bits of a number, and what they leave out."""
    exponent = mp.frexp(value)[1]
    high = mp.ldexp(mp.nint(mp.ldexp(value, bits - exponent)), exponent - bits)
    return high, value - high
