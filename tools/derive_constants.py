"""Derive every constant of ``chainrule.kernels.elementary`` from its definition.

Each polynomial is the weighted minimax approximation of an analytic function, found in many digits
and only then rounded: see ``minimax.py``. Needs mpmath and nothing else. Run it to write the files
of constants; with ``--check`` it compares them and exits with status 1 if any differs.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import mpmath as mp
from minimax import Fit, Fitted, Function, double_fit, single, single_fit, split

FOLDER = Path(__file__).resolve().parent.parent / "src/chainrule/kernels/elementary"
DIGITS = 80
Value = float | int | tuple[float, ...]


def exponential_tail(r: mp.mpf) -> mp.mpf:
    """Return (exp(r) - 1 - r) / r**2."""
    return (mp.expm1(r) - r) / r**2


def logarithm_tail(z: mp.mpf) -> mp.mpf:
    """Return (2 atanh(s) / s - 2) / z with s = sqrt(z)."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


def logarithm_rest(z: mp.mpf) -> mp.mpf:
    """Return (2 atanh(s) - 2 s - 2/3 s**3) / s**5 with s = sqrt(z)."""
    return (logarithm_tail(z) - mp.mpf(2) / 3) / z


def direct_logarithm_tail(f: mp.mpf) -> mp.mpf:
    """Return (log(1 + f) - f + f**2 / 2) / f**3."""
    return (mp.log1p(f) - f + f * f / 2) / f**3


def odd_tail(function: Function) -> Function:
    """Return (g(x) - x) / x**3 with x = sqrt(z), for an odd function g with g'(0) = 1."""

    def tail(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(z)
        return (function(x) - x) / (x * z)

    return tail


def odd_weight(function: Function) -> Function:
    """Return the weight of an error of that tail in the function's result."""
    return lambda z: z * mp.sqrt(z) / function(mp.sqrt(z))


def cosh_tail(z: mp.mpf) -> mp.mpf:
    """Return (cosh(r) - 1) / r**2 with r = sqrt(z)."""
    return (mp.cosh(mp.sqrt(z)) - 1) / z


def cosine_tail(z: mp.mpf) -> mp.mpf:
    """Return (cos(r) - 1 + z/2) / z**2 with r = sqrt(z)."""
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def sine_of_turns(z: mp.mpf) -> mp.mpf:
    """Return sin(pi/2 y) / y with y = sqrt(z)."""
    return mp.sin(mp.pi / 2 * mp.sqrt(z)) / mp.sqrt(z)


def cosine_of_turns(z: mp.mpf) -> mp.mpf:
    """Return cos(pi/2 y) with y = sqrt(z)."""
    return mp.cos(mp.pi / 2 * mp.sqrt(z))


def erf_excess(z: mp.mpf) -> mp.mpf:
    """Return erf(x) / x - 1 with x = sqrt(z)."""
    return mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1


def erf_exponent(x: mp.mpf) -> mp.mpf:
    """Return log(erfc(x))."""
    return mp.log(mp.erfc(x))


def erf_exponent_ratio(x: mp.mpf) -> mp.mpf:
    """Return log(erfc(x)) / x."""
    return erf_exponent(x) / x


def erf_exponent_tail(x: mp.mpf) -> mp.mpf:
    """Return (log(erfc(x)) + 2 x / sqrt(pi)) / x**2."""
    return (erf_exponent(x) + 2 * x / mp.sqrt(mp.pi)) / x**2


def erfcx(x: mp.mpf) -> mp.mpf:
    """Return exp(x**2) erfc(x), far out by the series in 1 / x**2."""
    if x < ERFCX_FAR:
        return mp.exp(x * x) * mp.erfc(x)
    term = total = mp.mpf(1)
    factor = -1 / (2 * x * x)
    k = 1
    while abs(term) > mp.eps:
        term *= k * factor
        total += term
        k += 2
    return total / (x * mp.sqrt(mp.pi))


def weighted_erfcx(constant: mp.mpf, slope: mp.mpf) -> Function:
    """Return (constant + slope x) erfcx(x), t = (x - ERFC_CENTRE) / (x + ERFC_CENTRE)."""

    def weighted(t: mp.mpf) -> mp.mpf:
        if t == 1:
            return slope / mp.sqrt(mp.pi)
        x = ERFC_CENTRE * (1 + t) / (1 - t)
        return (constant + slope * x) * erfcx(x)

    return weighted


def scaled_erfc(slope: mp.mpf) -> Function:
    """Return (1 + slope x) erfcx(x) in t."""
    return weighted_erfcx(ONE, slope)


def shifted_erfc(t: mp.mpf) -> mp.mpf:
    """Return (x + ERFC_CENTRE) erfcx(x)."""
    return weighted_erfcx(ERFC_CENTRE, ONE)(t)


def erfc_end(last: mp.mpf) -> mp.mpf:
    """Return t at the last argument of interest."""
    return (last - ERFC_CENTRE) / (last + ERFC_CENTRE)


mp.mp.dps = DIGITS
ZERO, ONE = mp.mpf(0), mp.mpf(1)
ERFC_CENTRE = mp.mpf("3.75")
# Near this slope F(t) is so flat that the rounding errors of t hardly matter.
ERFC_SLOPE = mp.mpf("1.5")
# Near this one, F(t) is flat at zero, where t is least exact in float32.
SINGLE_ERFC_SLOPE = mp.mpf("1.203125")
ERFC_LAST = mp.mpf("27.3")
ERFCX_FAR = mp.mpf(60)  # where the series has 80 digits long before its terms grow
ERF_LAST = mp.mpf("5.93")
# The arguments are reduced with a rounded multiple of log(2): leave room for that rounding.
ROOM = mp.mpf("1.0001")
HALF_STEP = mp.log(2) / 2 * ROOM
SQUARE = HALF_STEP**2
LARGEST_S = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * ROOM
EIGHTH_TURN = mp.pi / 4 * ROOM
# In float32 the multiple of a quarter turn is off by more.
SINGLE_EIGHTH_TURN = mp.pi / 4 * mp.mpf("1.005")
# Where the functions for float32 change from one form to another.
SINGLE_TANH_SPLIT = mp.mpf("1.0")
SINGLE_ERF_SPLIT = mp.mpf("0.9375")
SINGLE_ERF_CENTRE = mp.mpf("1.78125")
SINGLE_ASINH_SPLIT = mp.mpf("0.5")


def exponential(degree: int) -> Fit:
    """Fit the exponential on half a step to either side."""
    return Fit(exponential_tail, lambda r: r**2 / mp.expm1(r), -HALF_STEP, HALF_STEP, degree)


def logarithm(degree: int) -> Fit:
    """Fit the logarithm through atanh(s)."""
    return Fit(
        logarithm_tail,
        lambda z: z * mp.sqrt(z) / mp.atanh(mp.sqrt(z)) / 2,
        ZERO,
        LARGEST_S**2,
        degree,
    )


def logarithm_to_many_digits(degree: int) -> Fit:
    """Fit the logarithm behind its first two terms, which are known exactly."""
    return Fit(
        logarithm_rest,
        lambda z: z**2 * mp.sqrt(z) / mp.atanh(mp.sqrt(z)) / 2,
        ZERO,
        LARGEST_S**2,
        degree,
    )


def odd(function: Function, last: mp.mpf, degree: int) -> Fit:
    """Fit an odd function from zero on."""
    return Fit(odd_tail(function), odd_weight(function), ZERO, last**2, degree)


def even_hyperbolic(degree: int) -> Fit:
    """Fit the hyperbolic cosine."""
    return Fit(cosh_tail, lambda z: z / mp.cosh(mp.sqrt(z)), ZERO, SQUARE, degree)


def cosine(last: mp.mpf, degree: int) -> Fit:
    """Fit the cosine up to an angle."""
    return Fit(cosine_tail, lambda z: z**2 / mp.cos(mp.sqrt(z)), ZERO, last**2, degree)


def erfc_fit(target: Function, last: mp.mpf, degree: int) -> Fit:
    """Fit the complementary error function without its exponential."""
    return Fit(target, lambda t: 1 / target(t), -ONE, erfc_end(last), degree)


def erfcx_fit(target: Function, degree: int) -> Fit:
    """Fit the same up to infinity."""
    return Fit(target, lambda t: 1 / target(t), -ONE, ONE, degree)


# Each weight turns an error of the polynomial into a relative error of the function's result.
DOUBLE_FITS = {
    "EXPONENTIAL": exponential(10),
    "LOGARITHM": logarithm(6),
    "LOGARITHM_REST": logarithm_to_many_digits(8),
    "SINH": odd(mp.sinh, HALF_STEP, 4),
    "COSH": even_hyperbolic(4),
    "ARCTANGENT": odd(mp.atan, ONE, 19),
    "SINE": odd(mp.sin, EIGHTH_TURN, 5),
    "COSINE": cosine(EIGHTH_TURN, 5),
    "ERF": Fit(erf_exponent_tail, lambda x: x**2 * mp.erfc(x) / mp.erf(x), ZERO, ERF_LAST, 23),
    "ERFC": erfc_fit(scaled_erfc(ERFC_SLOPE), ERFC_LAST, 22),
    "ERFCX": erfcx_fit(scaled_erfc(ERFC_SLOPE), 26),
}
CONSTANT_LOW_KEPT = {"ERFC", "ERFCX"}
WIDE_ERF_LAST = mp.mpf("5.25")
WIDE_FITS = {
    "EXPONENTIAL": exponential(8),
    "LOGARITHM": logarithm(4),
    "SINH": odd(mp.sinh, HALF_STEP, 3),
    "COSH": even_hyperbolic(3),
    "ARCTANGENT": odd(mp.atan, mp.tan(mp.pi / 8) * ROOM, 6),
    "SINE": Fit(sine_of_turns, lambda z: 1 / sine_of_turns(z), ZERO, ROOM / 4, 5),
    "COSINE": Fit(cosine_of_turns, lambda z: 1 / cosine_of_turns(z), ZERO, ROOM / 4, 5),
    "ERF": Fit(erf_exponent_ratio, lambda x: x * mp.erfc(x) / mp.erf(x), ZERO, WIDE_ERF_LAST, 16),
    "ERFC": erfc_fit(shifted_erfc, ERFC_LAST, 15),
    "ERFCX": erfcx_fit(shifted_erfc, 17),
}
NARROW_ERFC_LAST = mp.mpf("14.0")
NARROW_FITS = {
    "EXPONENTIAL": exponential(5),
    "ERFC": erfc_fit(shifted_erfc, NARROW_ERFC_LAST, 10),
}
SINGLE_ERF_LAST = mp.mpf("4.0")
SINGLE_FITS = {
    "EXPONENTIAL": exponential(5),
    "SHORT_EXPONENTIAL": exponential(4),
    "LOGARITHM": Fit(
        direct_logarithm_tail,
        lambda f: f**3 / mp.log1p(f),
        mp.sqrt(mp.mpf("0.5")) * (2 - ROOM) - 1,
        mp.sqrt(2) * ROOM - 1,
        8,
    ),
    "SINH": odd(mp.sinh, HALF_STEP, 2),
    "COSH": even_hyperbolic(2),
    "TANH": odd(mp.tanh, SINGLE_TANH_SPLIT, 7),
    "ASINH": odd(mp.asinh, SINGLE_ASINH_SPLIT, 5),
    "ARCTANGENT": odd(mp.atan, ONE, 9),
    "SINE": odd(mp.sin, SINGLE_EIGHTH_TURN, 2),
    "COSINE": cosine(SINGLE_EIGHTH_TURN, 2),
    "ERF": Fit(erf_excess, lambda z: 1 / (1 + erf_excess(z)), ZERO, SINGLE_ERF_SPLIT**2, 7),
    "ERF_REST": Fit(
        lambda t: mp.sqrt(mp.erfc(SINGLE_ERF_CENTRE + t)),
        lambda t: 2 * mp.sqrt(mp.erfc(SINGLE_ERF_CENTRE + t)),
        SINGLE_ERF_SPLIT - SINGLE_ERF_CENTRE,
        SINGLE_ERF_LAST - SINGLE_ERF_CENTRE,
        11,
    ),
    "ERFC": erfc_fit(scaled_erfc(SINGLE_ERFC_SLOPE), mp.mpf("10.1"), 11),
}


def double_constants() -> dict[str, Value]:
    """Return the numbers of the set for float64."""
    constants: dict[str, Value] = {}
    # 42 bits leave 11 for the multiplier, so that the product with any exponent is exact.
    constants["LN2_HIGH"], constants["LN2_LOW"] = map(float, split(mp.log(2), 42))
    constants["INVERSE_LN2"] = float(1 / mp.log(2))
    two_thirds = split(mp.mpf(2) / 3, 53)
    constants["TWO_THIRDS_HIGH"], constants["TWO_THIRDS_LOW"] = map(float, two_thirds)
    constants["SQRT_HALF_BITS"] = struct.unpack("<q", struct.pack("<d", mp.sqrt(0.5)))[0]
    half_pi_high, rest = split(mp.pi / 2, 53)
    half_pi_low, half_pi_last = split(rest, 53)
    constants["HALF_PI_HIGH"], constants["HALF_PI_LOW"] = float(half_pi_high), float(half_pi_low)
    constants["HALF_PI_LAST"], constants["TWO_OVER_PI"] = float(half_pi_last), float(2 / mp.pi)
    constants["ERF_SLOPE_HIGH"], constants["ERF_SLOPE_LOW"] = map(
        float, split(-2 / mp.sqrt(mp.pi), 53)
    )
    constants["ERF_LAST"] = float(ERF_LAST)
    constants["ERFC_CENTRE"] = float(ERFC_CENTRE)
    constants["ERFC_SLOPE"] = float(ERFC_SLOPE)
    constants["ERFC_LAST"] = float(ERFC_LAST)
    constants["INVERSE_SQRT_PI"] = float(1 / mp.sqrt(mp.pi))
    return constants


def wide_constants() -> dict[str, Value]:
    """Return the numbers of the set for float64 that is rounded to float32."""
    return {
        "LN2": float(mp.log(2)),
        "INVERSE_LN2": float(1 / mp.log(2)),
        "SQRT_HALF_BITS": struct.unpack("<q", struct.pack("<d", mp.sqrt(0.5)))[0],
        "HALF_PI": float(mp.pi / 2),
        "QUARTER_PI": float(mp.pi / 4),
        "TAN_EIGHTH_PI": float(mp.tan(mp.pi / 8)),
        "COTAN_EIGHTH_PI": float(mp.cot(mp.pi / 8)),
        "ERF_LAST": float(WIDE_ERF_LAST),
        "ERFC_CENTRE": float(ERFC_CENTRE),
        "ERFC_LAST": float(ERFC_LAST),
    }


def narrow_constants() -> dict[str, Value]:
    """Return the numbers of the set for float64 that is rounded to float32 at once."""
    return {"ERFC_CENTRE": float(ERFC_CENTRE), "ERFC_LAST": float(NARROW_ERFC_LAST)}


def single_constants() -> dict[str, Value]:
    """Return the numbers of the set for float32."""
    # 15 bits leave 9 for the multiplier: the product with any exponent is exact.
    ln2_high, ln2_rest = split(mp.log(2), 15)
    half_pi_high, half_pi_rest = split(mp.pi / 2, 24)
    # Its product with the quarter turns of what is near is exact.
    half_pi_low, half_pi_last = split(half_pi_rest, 15)
    return {
        "LN2_HIGH": single(ln2_high),
        "LN2_LOW": single(ln2_rest),
        "INVERSE_LN2": single(1 / mp.log(2)),
        "SQRT_HALF_BITS": struct.unpack("<i", struct.pack("<f", mp.sqrt(0.5)))[0],
        "HALF_PI_HIGH": single(half_pi_high),
        "HALF_PI_LOW": single(half_pi_low),
        "HALF_PI_LAST": single(half_pi_last),
        "TWO_OVER_PI": single(2 / mp.pi),
        "TANH_SPLIT": float(SINGLE_TANH_SPLIT),
        "ASINH_SPLIT": float(SINGLE_ASINH_SPLIT),
        "ERF_SPLIT": float(SINGLE_ERF_SPLIT),
        "ERF_CENTRE": float(SINGLE_ERF_CENTRE),
        "ERF_LAST": float(SINGLE_ERF_LAST),
        "ERFC_CENTRE": float(ERFC_CENTRE),
        "ERFC_SLOPE": float(SINGLE_ERFC_SLOPE),
    }


def reduction_constants() -> dict[str, Value]:
    """Return 2/pi to as many bits as the largest float64 needs, as an integer."""
    bits = 1216
    return {"BITS": bits, "TWO_OVER_PI": int(mp.floor(mp.ldexp(2 / mp.pi, bits)))}


def module(title: str, constants: dict[str, Value], *, wrap: bool = False) -> list[str]:
    """Return the head of a file of constants; ``wrap`` makes its numbers float32 and int32."""
    lines = [f'"""{title} Written by tools/derive_constants.py."""', ""]
    lines += ["import numpy as np", ""] if wrap else []
    for name, value in constants.items():
        text = repr(value)
        if isinstance(value, int) and value > 1 << 64:
            digits = f"{value:x}"
            lines += [f"{name} = int("]
            lines += [f'    "{digits[k : k + 80]}"' for k in range(0, len(digits), 80)]
            lines[-1] += ","
            lines += ["    16,", ")"]
            continue
        if wrap:
            text = f"np.int32({text})" if isinstance(value, int) else f"np.float32({text})"
        lines.append(f"{name} = {text}")
    return lines


def polynomials(
    fits: dict[str, Fit], fitted: Callable[[Fit], Fitted], low: Callable[[float], str] | None = None
) -> list[str]:
    """Return the polynomials of a file of constants; ``low`` writes what a constant term lost."""
    lines = []
    for name, fit in fits.items():
        result = fitted(fit)
        lines += [f"# Largest error 2**{float(mp.log(result.worst, 2)):.1f}.", f"{name} = ("]
        lines += [f"    {coefficient!r}," for coefficient in result.coefficients]
        lines.append(")")
        if low and name in CONSTANT_LOW_KEPT:
            lines.append(f"{name}_CONSTANT_LOW = {low(result.constant_low)}")
    return lines


def derive() -> dict[Path, str]:
    """Return the text of every file of constants by its path."""
    files = {
        "double": [
            *module("Constants for float64.", double_constants()),
            *polynomials(DOUBLE_FITS, double_fit, repr),
        ],
        "wide": [
            *module("Constants for results that are rounded to float32.", wide_constants()),
            *polynomials(WIDE_FITS, double_fit),
        ],
        "narrow": [
            *module("Constants for results rounded to float32 at once.", narrow_constants()),
            *polynomials(NARROW_FITS, double_fit),
        ],
    }
    files["single"] = [
        *module("Constants for float32.", single_constants(), wrap=True),
        *polynomials(SINGLE_FITS, single_fit, "np.float32({!r})".format),
    ]
    mp.mp.dps = 400
    texts = {FOLDER / tier / "_constants.py": lines for tier, lines in files.items()}
    texts[FOLDER / "_two_over_pi.py"] = module("The bits of 2/pi.", reduction_constants())
    return {path: "\n".join([*lines, ""]) for path, lines in texts.items()}


def main() -> int:
    """Write the files of constants, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files there are")
    arguments = parser.parse_args()
    wrong = 0
    for path, text in derive().items():
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(FOLDER)} differs from what is derived")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
