"""Derive every constant of ``chainrule.kernels.elementary`` from its definition.

Each polynomial is the weighted minimax approximation of an analytic function, found by a Remez
exchange on a fine grid in 80-digit arithmetic and only then rounded to float64. Needs mpmath and
nothing else. Run it to print the tables; with ``--check`` it compares them with the source file
and exits with status 1 if any differs.
"""

from __future__ import annotations

import argparse
import ast
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mpmath as mp

SOURCE = Path(__file__).resolve().parent.parent / "src/chainrule/kernels/elementary.py"
DIGITS = 80
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


def minimax(fit: Fit) -> tuple[list[mp.mpf], mp.mpf]:
    """Return the coefficients, lowest power first, and the largest weighted error."""
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
        while len(extrema) > unknowns:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        worst = max(abs(error) for error in errors)
        if len(extrema) < unknowns:
            raise ArithmeticError("the error alternates too rarely: the exchange broke down")
        if worst < mp.mpf("1.001") * abs(solution[unknowns - 1]):
            return coefficients, worst
        reference = extrema
    raise ArithmeticError("the exchange did not settle")


def exponential_tail(r: mp.mpf) -> mp.mpf:
    """Return (exp(r) - 1 - r) / r**2."""
    return (mp.expm1(r) - r) / r**2


def logarithm_tail(z: mp.mpf) -> mp.mpf:
    """Return (2 atanh(s) / s - 2) / z with s = sqrt(z)."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


def sinh_tail(z: mp.mpf) -> mp.mpf:
    """Return (sinh(r) - r) / r**3 with r = sqrt(z)."""
    r = mp.sqrt(z)
    return (mp.sinh(r) - r) / (r * z)


def cosh_tail(z: mp.mpf) -> mp.mpf:
    """Return (cosh(r) - 1) / r**2 with r = sqrt(z)."""
    return (mp.cosh(mp.sqrt(z)) - 1) / z


def arctangent_tail(z: mp.mpf) -> mp.mpf:
    """Return (atan(x) - x) / x**3 with x = sqrt(z)."""
    x = mp.sqrt(z)
    return (mp.atan(x) - x) / (x * z)


def erf_exponent_tail(x: mp.mpf) -> mp.mpf:
    """Return (log(erfc(x)) + 2 x / sqrt(pi)) / x**2."""
    return (mp.log(mp.erfc(x)) + 2 * x / mp.sqrt(mp.pi)) / x**2


def scaled_erfc(t: mp.mpf) -> mp.mpf:
    """Return (1 + ERFC_SLOPE x) exp(x**2) erfc(x), t = (x - ERFC_CENTRE) / (x + ERFC_CENTRE)."""
    x = ERFC_CENTRE * (1 + t) / (1 - t)
    return (1 + ERFC_SLOPE * x) * mp.exp(x * x) * mp.erfc(x)


mp.mp.dps = DIGITS
ERFC_CENTRE = mp.mpf("3.75")
# Near this slope F(t) is so flat that the rounding errors of t hardly matter.
ERFC_SLOPE = mp.mpf("1.5")
ERFC_LAST = mp.mpf("27.3")
ERF_LAST = mp.mpf("5.93")
# The arguments are reduced with a rounded multiple of log(2): leave room for that rounding.
HALF_STEP = mp.log(2) / 2 * mp.mpf("1.0001")
SQUARE = HALF_STEP**2
LARGEST_S = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * mp.mpf("1.0001")

# Each weight turns an error of the polynomial into a relative error of the function's result.
FITS = {
    "EXPONENTIAL": Fit(
        exponential_tail,
        lambda r: r**2 / mp.expm1(r),
        -HALF_STEP,
        HALF_STEP,
        10,
    ),
    "LOGARITHM": Fit(
        logarithm_tail,
        lambda z: z * mp.sqrt(z) / mp.atanh(mp.sqrt(z)) / 2,
        mp.mpf(0),
        LARGEST_S**2,
        6,
    ),
    "SINH": Fit(
        sinh_tail,
        lambda z: z * mp.sqrt(z) / mp.sinh(mp.sqrt(z)),
        mp.mpf(0),
        SQUARE,
        4,
    ),
    "COSH": Fit(
        cosh_tail,
        lambda z: z / mp.cosh(mp.sqrt(z)),
        mp.mpf(0),
        SQUARE,
        4,
    ),
    "ARCTANGENT": Fit(
        arctangent_tail,
        lambda z: z * mp.sqrt(z) / mp.atan(mp.sqrt(z)),
        mp.mpf(0),
        mp.mpf(1),
        19,
    ),
    "ERF": Fit(
        erf_exponent_tail,
        lambda x: x**2 * mp.erfc(x) / mp.erf(x),
        mp.mpf(0),
        ERF_LAST,
        23,
    ),
    "ERFC": Fit(
        scaled_erfc,
        lambda t: 1 / scaled_erfc(t),
        mp.mpf(-1),
        (ERFC_LAST - ERFC_CENTRE) / (ERFC_LAST + ERFC_CENTRE),
        22,
    ),
}


def split(value: mp.mpf, bits: int) -> tuple[float, float]:
    """Return the leading bits of a number, and the nearest float64 to what they leave out."""
    exponent = mp.frexp(value)[1]
    high = mp.ldexp(mp.nint(mp.ldexp(value, bits - exponent)), exponent - bits)
    return float(high), float(value - high)


def derive() -> tuple[dict[str, float | int | tuple[float, ...]], dict[str, mp.mpf]]:
    """Return every constant by its name, and each fit's largest weighted error."""
    constants: dict[str, float | int | tuple[float, ...]] = {}
    errors: dict[str, mp.mpf] = {}
    # 42 bits leave 11 for the multiplier, so that the product with any exponent is exact.
    constants["LN2_HIGH"], constants["LN2_LOW"] = split(mp.log(2), 42)
    constants["INVERSE_LN2"] = float(1 / mp.log(2))
    constants["SQRT_HALF_BITS"] = struct.unpack("<q", struct.pack("<d", mp.sqrt(0.5)))[0]
    constants["HALF_PI_HIGH"], constants["HALF_PI_LOW"] = split(mp.pi / 2, 53)
    constants["ERF_SLOPE_HIGH"], constants["ERF_SLOPE_LOW"] = split(-2 / mp.sqrt(mp.pi), 53)
    constants["ERF_LAST"] = float(ERF_LAST)
    constants["ERFC_CENTRE"] = float(ERFC_CENTRE)
    constants["ERFC_SLOPE"] = float(ERFC_SLOPE)
    constants["ERFC_LAST"] = float(ERFC_LAST)
    for name, fit in FITS.items():
        coefficients, errors[name] = minimax(fit)
        constants[name] = tuple(float(c) for c in coefficients)
        if name == "ERFC":
            constants["ERFC_CONSTANT_LOW"] = split(coefficients[0], 53)[1]
    return constants, errors


def constants_in(source: str) -> dict[str, object]:
    """Return the module-level constants of a source text, read without running it."""
    found: dict[str, object] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue  # an expression, not a literal: not one of the derived constants
    return found


def main() -> int:
    """Print the tables, or compare them with the source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with elementary.py")
    arguments = parser.parse_args()
    constants, errors = derive()
    if arguments.check:
        present = constants_in(SOURCE.read_text(encoding="utf-8"))
        wrong = [name for name, value in constants.items() if present.get(name) != value]
        for name in wrong:
            print(f"{name}: elementary.py has {present.get(name)}, derived {constants[name]}")
        print(f"{len(constants) - len(wrong)} of {len(constants)} constants agree")
        return 1 if wrong else 0
    for name, value in constants.items():
        if isinstance(value, tuple):
            print(f"# largest weighted error 2**{float(mp.log(errors[name], 2)):.1f}")
            print(f"{name} = (")
            for coefficient in value:
                print(f"    {coefficient!r},")
            print(")")
        else:
            print(f"{name} = {value!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
