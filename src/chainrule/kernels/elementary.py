"""Elementary functions of one float64, written so that a loop over an array vectorises.

A call of the C library inside a loop forces the compiler to treat one element at a time. The
functions here are straight-line arithmetic: both sides of every choice are computed and one is
selected, so LLVM inlines them into a kernel's loop and widens it to the vectors of the processor.
Only ``sin`` and ``cos`` call the C library.

Results are within 1.5 units in the last place (most within 1) over the whole range of float64,
subnormal numbers, infinities, NaN and signed zeros included; ``tests/kernels/test_elementary.py``
measures that against mpmath. The polynomial coefficients come from ``tools/derive_constants.py``.

Accuracy rests on sums and products whose rounding errors are recovered exactly, so nothing here
may be reassociated. Polynomials alone allow contraction to fused multiply-adds; everywhere else
``fma`` is called by name. Processors without that instruction get right results, slowly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit, types
from numba.extending import intrinsic

Compiled = TypeVar("Compiled", bound=Callable[..., Any])

# Derived constants: tools/derive_constants.py --check compares them with their definitions.
LN2_HIGH = 0.6931471805598903
LN2_LOW = 5.497923018708371e-14
INVERSE_LN2 = 1.4426950408889634
SQRT_HALF_BITS = 4604544271217802189
HALF_PI_HIGH = 1.5707963267948966
HALF_PI_LOW = 6.123233995736766e-17
ERF_SLOPE_HIGH = -1.1283791670955126
ERF_SLOPE_LOW = -1.533545961316588e-17
ERF_LAST = 5.93
ERFC_CENTRE = 3.75
ERFC_SLOPE = 1.5
ERFC_LAST = 27.3
EXPONENTIAL = (
    0.5,
    0.16666666666666677,
    0.04166666666666651,
    0.008333333333321693,
    0.0013888888888962624,
    0.0001984126988596474,
    2.4801587172028788e-05,
    2.755724437499553e-06,
    2.755740308453862e-07,
    2.5108978662103377e-08,
    2.087519209461974e-09,
)
LOGARITHM = (
    0.6666666666666734,
    0.39999999999415703,
    0.28571428742186966,
    0.22222198591140663,
    0.18183563522047436,
    0.15314068008190002,
    0.14795804460415815,
)
SINH = (
    0.16666666666666677,
    0.00833333333332167,
    0.0001984126988602002,
    2.7557244318275973e-06,
    2.510899857902215e-08,
)
COSH = (
    0.5000000000000012,
    0.04166666666651638,
    0.0013888888946734883,
    2.4801490244433897e-05,
    2.7631171602351014e-07,
)
ARCTANGENT = (
    -0.3333333333333307,
    0.19999999999951448,
    -0.14285714282574696,
    0.11111111007018609,
    -0.09090907002911887,
    0.07692279838823068,
    -0.06666404056631833,
    0.05880527822847949,
    -0.05253518640513186,
    0.04722322659465256,
    -0.042191804373107974,
    0.036641946652681084,
    -0.02990392265811592,
    0.02198494010546394,
    -0.013900648263433223,
    0.0071965695942142445,
    -0.002884954423824637,
    0.0008313350988313779,
    -0.00015216383903569324,
    1.3225382358508863e-05,
)
ERF = (
    -0.6366197723675828,
    -0.1027726033018205,
    0.01912844700565638,
    0.000209194688693643,
    -0.001696206344633888,
    0.0005901253646344531,
    -2.5877984177491266e-05,
    -6.449338221077617e-05,
    2.972689824558039e-05,
    -3.411429261464973e-06,
    -2.8303397876778697e-06,
    1.7371325625973946e-06,
    -3.331035872141931e-07,
    -1.3912418868599064e-07,
    1.4269540271247824e-07,
    -6.609490023061832e-08,
    2.1074775512771584e-08,
    -5.0253144785710984e-09,
    9.135388387023302e-10,
    -1.2562299244818372e-10,
    1.2695748165085895e-11,
    -8.909267870198716e-13,
    3.880142445179047e-14,
    -7.89829840195412e-16,
)
ERFC = (
    0.9645319034471304,
    -0.17353593181301666,
    0.05919107834325249,
    0.020814579986606657,
    -0.05595186959819628,
    0.05552765919730001,
    -0.037984242950451205,
    0.019216552763097302,
    -0.006859194051651285,
    0.0013103356721718142,
    0.00018216952371729353,
    -0.00020564150536487254,
    3.9632853174024135e-05,
    1.5244575034997104e-05,
    -8.395709949645191e-06,
    -5.703875958231146e-07,
    1.2661831790264123e-06,
    -5.389031403298206e-08,
    -1.824566836574704e-07,
    1.3810270815999746e-08,
    2.3825682295817193e-08,
    -7.247602584308655e-10,
    -1.7257734551809192e-09,
)
ERFC_CONSTANT_LOW = -3.3662178875550575e-17

INFINITY = math.inf
NOT_A_NUMBER = math.nan

# Adding 1.5 * 2**52 rounds to an integer, which is then found in the lowest bits of the sum.
ROUNDER = 6755399441055744.0
ONE_BITS = 0x3FF0000000000000
SIGN_BIT = -0x8000000000000000
MANTISSA_MASK = 0x000FFFFFFFFFFFFF
EXPONENT_MASK = 0x7FF
TWO_TO_52_BITS = 0x4330000000000000
BIASED_TWO_TO_52 = 4503599627370496.0 + 1023.0
LARGEST_SCALE_BITS = 0x7FE0000000000000

SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_TO_54 = 18014398509481984.0
TWO_TO_60 = 1152921504606846976.0

# Beyond these arguments the result no longer changes: it has overflowed, vanished or saturated.
EXP_FIRST = -746.0
EXP_LAST = 710.0
EXPM1_FIRST = -50.0
SINH_LAST = 710.6
TANH_LAST = 20.0
ATAN_LAST = 1e18
# Below these, the function equals its argument to the last place.
EXPM1_TINY = 1e-17
SINH_TINY = 1e-8
# From this exponent on, exp(-x) is lost next to exp(x).
HYPERBOLIC_BALANCE = 60.0


def _inlined(function: Compiled) -> Compiled:
    """Compile a function to be inlined, with IEEE arithmetic as written."""
    compiled: Compiled = njit(forceinline=True, error_model="numpy")(function)
    return compiled


def _inlined_polynomial(function: Compiled) -> Compiled:
    """Compile a polynomial to be inlined, free to fuse its products with its sums."""
    fusing = njit(forceinline=True, error_model="numpy", fastmath={"contract"})
    compiled: Compiled = fusing(function)
    return compiled


def _fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Generate a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


def _float_to_bits(typing_context: Any, value: Any) -> Any:
    """Generate the int64 that has the bits of a float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


def _bits_to_float(typing_context: Any, bits: Any) -> Any:
    """Generate the float64 that has the bits of an int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


# Numba's intrinsics are untyped; compiled code calls them with these types.
fma: Callable[[float, float, float], float] = intrinsic(_fma)
float_to_bits: Callable[[float], int] = intrinsic(_float_to_bits)
bits_to_float: Callable[[int], float] = intrinsic(_bits_to_float)


@_inlined_polynomial
def _polynomial_exponential(r: float) -> float:
    """Return (exp(r) - 1 - r) / r**2."""
    square = r * r
    even = EXPONENTIAL[10] * square + EXPONENTIAL[8]
    even = even * square + EXPONENTIAL[6]
    even = even * square + EXPONENTIAL[4]
    even = even * square + EXPONENTIAL[2]
    even = even * square + EXPONENTIAL[0]
    odd = EXPONENTIAL[9] * square + EXPONENTIAL[7]
    odd = odd * square + EXPONENTIAL[5]
    odd = odd * square + EXPONENTIAL[3]
    odd = odd * square + EXPONENTIAL[1]
    return even + r * odd


@_inlined_polynomial
def _polynomial_logarithm(z: float) -> float:
    """Return (2 atanh(s) / s - 2) / z, where z = s**2."""
    square = z * z
    even = LOGARITHM[6] * square + LOGARITHM[4]
    even = even * square + LOGARITHM[2]
    even = even * square + LOGARITHM[0]
    odd = LOGARITHM[5] * square + LOGARITHM[3]
    odd = odd * square + LOGARITHM[1]
    return even + z * odd


@_inlined_polynomial
def _polynomial_sinh(z: float) -> float:
    """Return (sinh(r) - r) / r**3, where z = r**2."""
    square = z * z
    even = SINH[4] * square + SINH[2]
    even = even * square + SINH[0]
    odd = SINH[3] * square + SINH[1]
    return even + z * odd


@_inlined_polynomial
def _polynomial_cosh(z: float) -> float:
    """Return (cosh(r) - 1) / r**2, where z = r**2."""
    square = z * z
    even = COSH[4] * square + COSH[2]
    even = even * square + COSH[0]
    odd = COSH[3] * square + COSH[1]
    return even + z * odd


@_inlined_polynomial
def _polynomial_arctangent(z: float) -> float:
    """Return (atan(x) - x) / x**3, where z = x**2."""
    square = z * z
    even = ARCTANGENT[18] * square + ARCTANGENT[16]
    even = even * square + ARCTANGENT[14]
    even = even * square + ARCTANGENT[12]
    even = even * square + ARCTANGENT[10]
    even = even * square + ARCTANGENT[8]
    odd = ARCTANGENT[19] * square + ARCTANGENT[17]
    odd = odd * square + ARCTANGENT[15]
    odd = odd * square + ARCTANGENT[13]
    odd = odd * square + ARCTANGENT[11]
    odd = odd * square + ARCTANGENT[9]
    result = even + z * odd
    result = result * z + ARCTANGENT[7]
    result = result * z + ARCTANGENT[6]
    result = result * z + ARCTANGENT[5]
    result = result * z + ARCTANGENT[4]
    result = result * z + ARCTANGENT[3]
    result = result * z + ARCTANGENT[2]
    result = result * z + ARCTANGENT[1]
    return result * z + ARCTANGENT[0]


@_inlined_polynomial
def _polynomial_erf(x: float) -> float:
    """Return (log(erfc(x)) + 2 x / sqrt(pi)) / x**2."""
    square = x * x
    fourth = square * square
    first = ERF[20] * fourth + ERF[16]
    first = first * fourth + ERF[12]
    first = first * fourth + ERF[8]
    first = first * fourth + ERF[4]
    first = first * fourth + ERF[0]
    second = ERF[21] * fourth + ERF[17]
    second = second * fourth + ERF[13]
    second = second * fourth + ERF[9]
    second = second * fourth + ERF[5]
    second = second * fourth + ERF[1]
    third = ERF[22] * fourth + ERF[18]
    third = third * fourth + ERF[14]
    third = third * fourth + ERF[10]
    third = third * fourth + ERF[6]
    third = third * fourth + ERF[2]
    last = ERF[23] * fourth + ERF[19]
    last = last * fourth + ERF[15]
    last = last * fourth + ERF[11]
    last = last * fourth + ERF[7]
    last = last * fourth + ERF[3]
    return (first + x * second) + square * (third + x * last)


@_inlined_polynomial
def _polynomial_erfc(t: float) -> float:
    """Return (F(t) - F(0)) / t, where F = (1 + 1.5 x) exp(x**2) erfc(x)."""
    square = t * t
    fourth = square * square
    first = ERFC[21] * fourth + ERFC[17]
    first = first * fourth + ERFC[13]
    first = first * fourth + ERFC[9]
    first = first * fourth + ERFC[5]
    first = first * fourth + ERFC[1]
    second = ERFC[22] * fourth + ERFC[18]
    second = second * fourth + ERFC[14]
    second = second * fourth + ERFC[10]
    second = second * fourth + ERFC[6]
    second = second * fourth + ERFC[2]
    third = ERFC[19] * fourth + ERFC[15]
    third = third * fourth + ERFC[11]
    third = third * fourth + ERFC[7]
    third = third * fourth + ERFC[3]
    last = ERFC[20] * fourth + ERFC[16]
    last = last * fourth + ERFC[12]
    last = last * fourth + ERFC[8]
    last = last * fourth + ERFC[4]
    return (first + t * second) + square * (third + t * last)


@_inlined
def _with_sign_of(magnitude: float, signed: float) -> float:
    """Return a number that is not negative with another's sign."""
    return bits_to_float(float_to_bits(magnitude) | (float_to_bits(signed) & SIGN_BIT))


@_inlined
def _rounding_error(a: float, b: float, total: float) -> float:
    """Return (a + b) - total exactly, where total is the rounded sum."""
    part = total - a
    return (a - (total - part)) + (b - part)


@_inlined
def _power_of_two(shifted: float, offset: int) -> float:
    """Return 2**(shifted - ROUNDER + offset)."""
    return bits_to_float(((float_to_bits(shifted) + offset) << 52) + ONE_BITS)


@_inlined
def _reduce_exponent(x: float, low: float) -> tuple[float, float, float]:
    """Write x + low as k log(2) + r + r_low; return k + ROUNDER, r and r_low."""
    shifted = fma(x, INVERSE_LN2, ROUNDER)
    count = shifted - ROUNDER
    # Both the product and the difference are exact: LN2_HIGH ends in eleven zeros.
    high = fma(-count, LN2_HIGH, x)
    rest = fma(count, LN2_LOW, -low)
    r = high - rest
    return shifted, r, (high - r) - rest


@_inlined
def _scale(mantissa: float, shifted: float) -> float:
    """Return mantissa * 2**(shifted - ROUNDER); two steps reach past both ends of the range."""
    half = fma(shifted - ROUNDER, 0.5, ROUNDER)
    rest = bits_to_float(((float_to_bits(shifted) - float_to_bits(half)) << 52) + ONE_BITS)
    return mantissa * _power_of_two(half, 0) * rest


@_inlined
def _scaled_expm1(scale: float, offset: float, r: float, r_low: float) -> tuple[float, float]:
    """Return scale * exp(r + r_low) - offset as a leading term and a correction."""
    base = scale - offset
    high = fma(scale, r, base)
    # Exact, because |base| >= |scale * r| or base = 0.
    error = fma(scale, r, base - high)
    return high, fma(scale, fma(r * r, _polynomial_exponential(r), r_low), error)


@_inlined
def _log_of_sum(f: float, f_low: float, count: float) -> float:
    """Return log(1 + f + f_low) + count log(2), where 1 + f lies in [sqrt(1/2), sqrt(2)].

    With s = f / (2 + f), log(1 + f) = 2 atanh(s) = f - f**2/2 + s (f**2/2 + s**2 P(s**2)).
    """
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    base = count * LN2_HIGH
    high = base + f
    low = ((base - high) + f) + fma(-f, f_low, f_low)
    tail = fma(s, fma(z, _polynomial_logarithm(z), half_square), fma(count, LN2_LOW, low))
    return high - (half_square - tail)


@_inlined
def _log1p_of_pair(x: float, x_low: float, extra: float) -> float:
    """Return log(1 + x + x_low) + extra log(2) for x + x_low > -1, finite."""
    total = 1.0 + x
    error = _rounding_error(1.0, x, total) + x_low
    shifted = float_to_bits(total) + (ONE_BITS - SQRT_HALF_BITS)
    biased = (shifted >> 52) & EXPONENT_MASK
    count = bits_to_float(biased | TWO_TO_52_BITS) - BIASED_TWO_TO_52
    high = bits_to_float((shifted & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0
    scaled = error * bits_to_float(LARGEST_SCALE_BITS - (biased << 52))
    low = scaled if total < TWO_TO_60 else 0.0
    f = high + low
    return _log_of_sum(f, (high - f) + low, count + extra)


@_inlined
def exp(x: float) -> float:
    """Return the exponential.

    x = k log(2) + r with |r| <= log(2)/2; exp(r) by a polynomial of degree 12; scaled in two
    steps, of which only the second rounds, and only a subnormal result. Worst measured: 1.0 ulp.
    """
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXP_FIRST if bounded < EXP_FIRST else bounded
    shifted = fma(bounded, INVERSE_LN2, ROUNDER)
    count = shifted - ROUNDER
    r = fma(-count, LN2_LOW, fma(-count, LN2_HIGH, bounded))
    return _scale(1.0 + fma(r * r, _polynomial_exponential(r), r), shifted)


@_inlined
def expm1(x: float) -> float:
    """Return exp(x) - 1 without cancellation.

    The reduction and the polynomial of ``exp``; 2**k (1 + r) - 1 is summed with its rounding
    error. Everything is halved until the end, because 2**1024 overflows. Worst measured:
    1.2 ulp.
    """
    bounded = EXP_LAST if x > EXP_LAST else x
    bounded = EXPM1_FIRST if bounded < EXPM1_FIRST else bounded
    shifted, r, r_low = _reduce_exponent(bounded, 0.0)
    high, low = _scaled_expm1(_power_of_two(shifted, -1), 0.5, r, r_low)
    result = 2.0 * (high + low)
    return x if abs(x) < EXPM1_TINY else result


@_inlined
def log(x: float) -> float:
    """Return the natural logarithm.

    x = 2**k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)]; log(1 + f) by s = f / (2 + f) and a
    polynomial of degree 6 in s**2; subnormal arguments are scaled first. Worst measured:
    0.8 ulp.
    """
    subnormal = x < SMALLEST_NORMAL
    scaled = x * TWO_TO_54
    normal = scaled if subnormal else x
    extra = -54.0 if subnormal else 0.0
    shifted = float_to_bits(normal) + (ONE_BITS - SQRT_HALF_BITS)
    biased = (shifted >> 52) & EXPONENT_MASK
    count = bits_to_float(biased | TWO_TO_52_BITS) - BIASED_TWO_TO_52
    f = bits_to_float((shifted & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0
    result = _log_of_sum(f, 0.0, count + extra)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == 0.0 else NOT_A_NUMBER
    return result if x > 0.0 else outside


@_inlined
def log1p(x: float) -> float:
    """Return log(1 + x) without cancellation.

    1 + x is kept with its rounding error, which joins f after the reduction of ``log``. Worst
    measured: 0.8 ulp.
    """
    result = _log1p_of_pair(x, 0.0, 0.0)
    result = result if x < INFINITY else x
    outside = -INFINITY if x == -1.0 else NOT_A_NUMBER
    result = result if x > -1.0 else outside
    return x if x == 0.0 else result


@_inlined
def tanh(x: float) -> float:
    """Return the hyperbolic tangent.

    expm1(2|x|) / (expm1(2|x|) + 2), where numerator and denominator carry their rounding errors
    and the quotient its remainder: one division. Worst measured: 1.0 ulp.
    """
    magnitude = abs(x)
    bounded = TANH_LAST if magnitude > TANH_LAST else magnitude
    shifted, r, r_low = _reduce_exponent(2.0 * bounded, 0.0)
    high, low = _scaled_expm1(_power_of_two(shifted, 0), 1.0, r, r_low)
    numerator = high + low
    numerator_low = (high - numerator) + low
    denominator = numerator + 2.0
    denominator_low = _rounding_error(numerator, 2.0, denominator) + numerator_low
    reciprocal = 1.0 / denominator
    quotient = numerator * reciprocal
    remainder = fma(-quotient, denominator, numerator) + fma(
        -quotient, denominator_low, numerator_low
    )
    return _with_sign_of(fma(remainder, reciprocal, quotient), x)


@_inlined
def _reduce_hyperbolic(
    magnitude: float,
) -> tuple[float, float, float, float, float, float, float]:
    """Reduce |x| = k log(2) + r for ``sinh`` and ``cosh``.

    Returns a quarter of 2**k - 2**-k and of 2**k + 2**-k, each followed by its rounding error;
    then r, sinh(r) - r and cosh(r) - 1.
    """
    bounded = SINH_LAST if magnitude > SINH_LAST else magnitude
    shifted, r, r_low = _reduce_exponent(bounded, 0.0)
    count = shifted - ROUNDER
    balanced = HYPERBOLIC_BALANCE if count > HYPERBOLIC_BALANCE else count
    growing = _power_of_two(shifted, -2)
    decaying = _power_of_two(ROUNDER - balanced, -2)
    difference = growing - decaying
    difference_low = (growing - difference) - decaying
    total = growing + decaying
    total_low = (growing - total) + decaying
    z = r * r
    sine = fma(r * z, _polynomial_sinh(z), r_low)
    cosine = z * _polynomial_cosh(z)
    return difference, difference_low, total, total_low, r, sine, cosine


@_inlined
def sinh(x: float) -> float:
    """Return the hyperbolic sine.

    sinh(k log 2) cosh(r) + cosh(k log 2) sinh(r), with polynomials of degree 10 and 11 in r and
    no division; halved until the end against overflow. Worst measured: 0.9 ulp.
    """
    magnitude = abs(x)
    difference, difference_low, total, _, r, sine, cosine = _reduce_hyperbolic(magnitude)
    high = fma(total, r, difference)
    error = fma(total, r, difference - high) + difference_low
    result = 2.0 * (high + (error + fma(difference, cosine, total * sine)))
    return x if magnitude < SINH_TINY else _with_sign_of(result, x)


@_inlined
def cosh(x: float) -> float:
    """Return the hyperbolic cosine.

    cosh(k log 2) cosh(r) + sinh(k log 2) sinh(r), as in ``sinh``. Worst measured: 0.9 ulp.
    """
    difference, _, total, total_low, r, sine, cosine = _reduce_hyperbolic(abs(x))
    high = fma(difference, r, total)
    error = fma(difference, r, total - high) + total_low
    return 2.0 * (high + (error + fma(total, cosine, difference * sine)))


@_inlined
def erf(x: float) -> float:
    """Return the error function.

    1 - exp(q(|x|)), where q = log(erfc) by one polynomial of degree 25 on [0, 5.93]: no division.
    Its error counts in proportion to erfc, so one interval suffices. Worst measured: 1.2 ulp.
    """
    magnitude = abs(x)
    bounded = ERF_LAST if magnitude > ERF_LAST else magnitude
    linear = ERF_SLOPE_HIGH * bounded
    linear_low = fma(ERF_SLOPE_LOW, bounded, fma(ERF_SLOPE_HIGH, bounded, -linear))
    curved = bounded * bounded * _polynomial_erf(bounded)
    exponent = linear + curved
    shifted, r, r_low = _reduce_exponent(exponent, ((linear - exponent) + curved) + linear_low)
    high, low = _scaled_expm1(_power_of_two(shifted, 0), 1.0, r, r_low)
    return _with_sign_of(abs(high + low), x)


@_inlined
def erfc(x: float) -> float:
    """Return the complementary error function.

    exp(-x**2) F(t) / (1 + 1.5 |x|), where F is a polynomial of degree 22 in
    t = (|x| - 3.75) / (|x| + 3.75), x**2 is carried in two parts, and both quotients share one
    division; 2 - erfc(|x|) for negative x. Worst measured: 1.3 ulp.
    """
    magnitude = abs(x)
    a = ERFC_LAST if magnitude > ERFC_LAST else magnitude
    square = a * a
    shifted, r, r_low = _reduce_exponent(-square, -fma(a, a, -square))
    growth = fma(r * r, _polynomial_exponential(r), r_low)
    denominator = fma(ERFC_SLOPE, a, 1.0)
    denominator_low = fma(ERFC_SLOPE, a, 1.0 - denominator)
    centred = a + ERFC_CENTRE
    shared = 1.0 / (denominator * centred)
    t = fma(2.0 * a, denominator * shared, -1.0)
    reciprocal = centred * shared
    curved = t * _polynomial_erfc(t)
    numerator = ERFC[0] + curved
    numerator_low = ((ERFC[0] - numerator) + curved) + ERFC_CONSTANT_LOW
    quotient = numerator * reciprocal
    remainder = fma(-quotient, denominator, numerator) + fma(
        -quotient, denominator_low, numerator_low
    )
    quotient_low = remainder * reciprocal
    grown_low = fma(quotient_low, r, quotient_low)
    change = fma(quotient, r, fma(quotient, growth, grown_low))
    result = _scale(quotient + change, shifted)
    reflected = 2.0 - result
    return result if x >= 0.0 else reflected


@_inlined
def atan(x: float) -> float:
    """Return the arc tangent.

    A polynomial of degree 41 on [0, 1]; pi/2 - atan(1/|x|) beyond, where the quotient carries its
    remainder. Worst measured: 1.4 ulp.
    """
    magnitude = abs(x)
    bounded = ATAN_LAST if magnitude > ATAN_LAST else magnitude
    inverted = bounded > 1.0
    reciprocal = 1.0 / bounded
    t = reciprocal if inverted else bounded
    t_low = fma(-t, bounded, 1.0) * t
    z = t * t
    tail = t * z * _polynomial_arctangent(z)
    direct = t + tail
    high = HALF_PI_HIGH - t
    low = ((HALF_PI_HIGH - high) - t) + (HALF_PI_LOW - t_low - tail)
    reflected = high + low
    return _with_sign_of(reflected if inverted else direct, x)


@_inlined
def asinh(x: float) -> float:
    """Return the inverse hyperbolic sine.

    log1p(a + a**2 / (1 + sqrt(1 + a**2))) with a = |x|, the argument in two parts; very large a
    are quartered against overflow. Worst measured: 1.0 ulp.
    """
    magnitude = abs(x)
    large = magnitude > TWO_TO_60
    quarter = 0.25 * magnitude
    a = quarter if large else magnitude
    square = a * a
    ratio = square / (1.0 + math.sqrt(1.0 + square))
    addend = a if large else ratio
    extra = 2.0 if large else 0.0
    total = a + addend
    result = _log1p_of_pair(total, (a - total) + addend, extra)
    result = result if magnitude < INFINITY else magnitude
    return _with_sign_of(result, x)


@_inlined
def sin(x: float) -> float:
    """Return the sine by the C library: reducing large arguments does not vectorise."""
    return math.sin(x)


@_inlined
def cos(x: float) -> float:
    """Return the cosine by the C library: reducing large arguments does not vectorise."""
    return math.cos(x)
