"""Functions of one float32 as polynomials on a few intervals."""

from __future__ import annotations

import os
import subprocess
import sys

import mpmath
import numpy as np
import pytest

from chainrule import activation
from chainrule.catalogue import activation_formula
from chainrule.formulas import parse
from chainrule.kernels import _modules, activation_kernels
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels.elementary import tables
from chainrule.kernels.fitting._piece_fits import _phase, in_pieces
from chainrule.kernels.fitting._piece_source import function_source, name_in_pieces
from chainrule.kernels.fitting._pieces import InPieces, Piece, Side, operations_for

NORMAL = 2.0**-126
SMALLEST = 2.0**-149


def gelu(z):
    return z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2


def slope_of_gelu(z):
    return mpmath.ncdf(z) + z * mpmath.npdf(z)


def bent(z):
    return z * z / (mpmath.sqrt(z * z + 1) + 1) / 2 + z


def slope_of_bent(z):
    return z / (2 * mpmath.sqrt(z * z + 1)) + 1


def tanhexp(z):
    return z * mpmath.tanh(mpmath.exp(min(z, 99)))


def slope_of_tanhexp(z):
    t = mpmath.tanh(mpmath.exp(min(z, 99)))
    return t + z * mpmath.exp(min(z, 99)) * (1 - t * t)


def phish(z):
    return z * mpmath.tanh(gelu(min(z, 99)))


def slope_of_phish(z):
    t = mpmath.tanh(gelu(min(z, 99)))
    return t + z * slope_of_gelu(z) * (1 - t * t)


def logish(z):
    return z * mpmath.log1p(1 / (1 + mpmath.exp(-z)))


def slope_of_logish(z):
    s = 1 / (1 + mpmath.exp(-z))
    return mpmath.log1p(s) + z * s * (1 - s) / (1 + s)


def places():
    """Return float32 numbers of every size, more of them where things bend, and next to ends."""
    generator = np.random.default_rng(3)
    sizes = np.ldexp(generator.uniform(1, 2, 276), np.arange(-150, 126))
    near = generator.normal(size=900) * 4
    tails = -generator.uniform(9, 15, 300)
    found = np.concatenate([sizes, -sizes, near, tails, [0.0]]).astype(np.float32)
    return found[np.isfinite(found)]


def apply(kernel, first, z):
    output = np.empty_like(z)
    apply_kernel(kernel, first, z, output)
    return output


def errors(got, truth, z):
    """Yield errors in units in the last place, or in smallest subnormals below normal numbers."""
    with mpmath.workdps(60):
        for value, place in zip(got.tolist(), z.tolist(), strict=True):
            true = truth(mpmath.mpf(place))
            unit = float(np.spacing(np.float32(abs(true)))) if abs(true) >= NORMAL else SMALLEST
            yield float(abs(value - true)) / unit


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("gelu", gelu, slope_of_gelu),
        ("bent_identity", bent, slope_of_bent),
        ("tanhexp", tanhexp, slope_of_tanhexp),
        ("phish", phish, slope_of_phish),
        ("logish", logish, slope_of_logish),
    ],
)
def test_value_and_slope_are_within_their_bounds(name, value, slope):
    """Against 60 digits: a function that vanishes like a Gaussian, one that goes like a power."""
    kernels = activation_kernels(activation_formula(name), np.float32)
    assert "pieces" in kernels.choice.tiers.values()
    z = places()
    got = apply(kernels.forward, z, z), apply(kernels.backward, np.ones_like(z), z)
    assert max(errors(got[0], value, z)) <= 2.0
    assert max(errors(got[1], slope, z)) <= 4.0


def shrink(z):
    return z - mpmath.tanh(z)


@pytest.mark.parametrize(
    ("name", "value"), [("phish", phish), ("gelu", gelu), ("logish", logish),
                        ("bent_identity", bent), ("tanh_shrink", shrink), ("tanh", mpmath.tanh)]
)  # fmt: skip
def test_pieces_meet(name, value):
    """Next to the ends of intervals, where one polynomial takes over from another."""
    own = in_pieces(activation_formula(name), slope=False)
    found = []
    for sign, side in ((-1, own.left or own.right), (1, own.right or own.left)):
        ends = [piece.end for piece in side.near]
        if side.decay is not None and np.isfinite(side.decay.scale):
            ends = [side.decay.scale * y / (1 - y) for y in ends]
        for end in np.array(ends, np.float32):
            bits = end.view(np.int32) + np.arange(-6, 7, dtype=np.int32)
            found.append(sign * bits.view(np.float32))
    z = np.concatenate(found)
    kernels = activation_kernels(activation_formula(name), np.float32)
    assert len(found) >= 2
    assert max(errors(apply(kernels.forward, z, z), value, z)) <= 2.0


def test_intervals_of_one_length_and_such_that_grow():
    """A wave's are of one length, those of what settles soon are short where it bends."""
    even = in_pieces(activation_formula("tanh"), slope=False).right
    assert not even.grows
    lengths = np.diff([0.0, *(piece.end for piece in even.near)])
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-6)
    growing = in_pieces(activation_formula("phish"), slope=False).right
    assert growing.grows
    ends = [piece.end for piece in growing.near[:4]]
    assert ends == [ends[0], 1.5 * ends[0], 2 * ends[0], 3 * ends[0]]


def test_the_last_of_intervals_that_grow_has_its_end():
    """Also where another one would begin there, as it may be anywhere."""
    short, whole = (
        Side(tuple(Piece(e, 0.0, 0, (e,)) for e in (0.5, 0.75, 1.0, end)), None, (1.0, 0.0))
        for end in (1.25, 1.5)
    )
    lines = [
        list(function_source("f", InPieces(None, s, (0.0, 0.0, 1.0)), "")) for s in (short, whole)
    ]
    assert not any("steps_right <" in line for line in lines[0])
    assert any("steps_right < np.int32(3)" in line for line in lines[1])


def test_zeros_keep_their_sign_where_a_line_is_added():
    """What one side is more than the other is added without a choice of either."""
    value = activation("gelu")(np.array([0.0, -30.0, -np.inf, -1e-40], np.float32))
    np.testing.assert_array_equal(np.signbit(value), [False, True, True, True])


@pytest.mark.parametrize("name", ["gelu", "bent_identity"])
def test_ends_of_the_range_and_no_numbers(name):
    """The limits at ±infinity, NaN where NaN comes in, and zero at zero."""
    kernels = activation_kernels(activation_formula(name), np.float32)
    z = np.array([-np.inf, np.inf, np.nan, 0.0, -0.0], np.float32)
    value, slope = apply(kernels.forward, z, z), apply(kernels.backward, np.ones_like(z), z)
    limits = {"gelu": ([0, np.inf], [0, 1]), "bent_identity": ([-np.inf, np.inf], [0.5, 1.5])}
    np.testing.assert_array_equal(value, [*limits[name][0], np.nan, 0, 0])
    start = {"gelu": 0.5, "bent_identity": 1.0}[name]
    np.testing.assert_array_equal(slope, [*limits[name][1], np.nan, start, start])


@pytest.mark.parametrize("name", ["gelu", "phish", "tanh_shrink"])
def test_what_is_kept_for_the_way_back_is_the_same(name):
    """Value and slope in one pass, bit for bit those of two."""
    formula = activation_formula(name)
    kernels, z = activation_kernels(formula, np.float32), places()
    value, slope = activation(name).forward_with_slope(z)
    np.testing.assert_array_equal(value, apply(kernels.forward, z, z))
    np.testing.assert_array_equal(slope, apply(kernels.backward, np.ones_like(z), z))


def test_the_source_shows_both():
    """The formula's lines stand there as ever; the kernels call what was fitted to them."""
    source = activation_kernels(activation_formula("gelu"), np.float32).source
    for name in ("activation", "derivative"):
        assert f"def {name}(z):" in source
        assert f"def {name_in_pieces(name)}(z):" in source
        assert source.count(f" {name}(") == 1
    assert "output[i] = activation_in_pieces(" in source


def test_an_exponential_of_one_power_needs_no_quotient():
    """The polynomials are those of t, of which the first has no constant term: gelu is 0 at 0."""
    side = in_pieces(activation_formula("gelu"), slope=False).left
    assert side.decay.last == side.pieces[-1].end == side.decay.end
    assert side.pieces[0].centre == side.pieces[0].coefficients[0] == 0.0
    source = activation_kernels(activation_formula("gelu"), np.float32).forward.source
    assert "pairs.times_power(" in source
    assert "divide" not in source


def test_one_side_follows_from_the_other():
    """gelu(z) = z + gelu(-z): one polynomial serves both signs."""
    found = in_pieces(activation_formula("gelu"), slope=False)
    assert found.relation == (1.0, 0.0, 1.0)
    assert found.right is None
    assert found.left.decay.phase == ((2, 0.5),)
    found = in_pieces(activation_formula("gelu"), slope=True)
    (zero,) = found.left.decay.zeros
    with mpmath.workdps(40):
        true = -mpmath.findroot(slope_of_gelu, mpmath.mpf("-0.75"))
        assert abs(zero[0] + mpmath.mpf(zero[1]) - true) < 1e-14


@pytest.mark.parametrize(
    ("name", "slope", "sign"), [("lisht", True, -1), ("lisht", False, 1), ("asinh", True, 1)]
)
def test_even_and_odd_functions_have_one_side(name, slope, sign):
    """The other one is the same, or its negative."""
    found = in_pieces(activation_formula(name), slope=slope)
    assert found.relation == (0.0, 0.0, sign)
    assert found.left is None


@pytest.mark.parametrize(("name", "slope"), [("gelu", False), ("tanh", True)])
def test_a_bound_on_the_work_changes_no_pieces(name, slope):
    """Those that keep it are found as without one, and none that do not."""
    formula = activation_formula(name)
    found = in_pieces(formula, slope=slope)
    assert in_pieces(formula, slope=slope, most=found.work) == found
    assert in_pieces(formula, slope=slope, most=found.work - 1) is None


def test_a_first_coefficient_may_have_two_parts():
    """tanh(1), the slope of z*tanh(exp(z)) at 0, is no float32; a half, that of gelu, is one."""
    first = in_pieces(activation_formula("tanhexp"), slope=False).right.pieces[0]
    with mpmath.workdps(40):
        assert abs(mpmath.mpf(first.coefficients[0]) + first.low - mpmath.tanh(1)) < 2.0**-48
    assert in_pieces(activation_formula("gelu"), slope=True).left.pieces[0].low == 0.0


@pytest.mark.long
def test_they_are_the_same_on_another_processor():
    """To the last bit, with other routines of linear algebra and vectors: a digest keeps them."""
    code = (
        "from chainrule.catalogue import activation_formula\n"
        "from chainrule.kernels.fitting._piece_fits import _phase, in_pieces\n"
        "for name in ('gelu', 'bent_identity', 'tanhexp', 'phish', 'logish', 'serf'):\n"
        "    print(in_pieces(activation_formula(name), slope=True))\n"
        "    print(in_pieces(activation_formula(name), slope=False))"
    )
    older = {"OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"}
    found = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], env={**os.environ, **changed},
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout
        for changed in ({}, older)
    ]  # fmt: skip
    assert "Piece(" in found[0]
    assert found[0] == found[1]


def test_a_function_of_ones_own():
    """A wave that a Gaussian ends, with a line added; nobody has named it."""

    def true(z):
        return z + (1 - z) * mpmath.exp(-z * z / 3)

    def slope(z):
        return 1 - mpmath.exp(-z * z / 3) * (1 + (1 - z) * z * 2 / 3)

    kernels = activation_kernels(parse("z + (1 - z)*exp(-z*z/3)"), np.float32)
    z = places()
    got = apply(kernels.forward, z, z), apply(kernels.backward, np.ones_like(z), z)
    assert max(errors(got[0], true, z)) <= 2.0
    assert max(errors(got[1], slope, z)) <= 4.0


@pytest.mark.parametrize("text", ["sin(z)", "where(z > 1, z, exp(z))", "1/z", "softmax"])
def test_what_has_no_pieces(text):
    """Waves, kinks away from 0, poles, coupled units: there the formula is computed."""
    formula = activation_formula(text) if text == "softmax" else parse(text)
    assert in_pieces(formula, slope=False) is None
    assert in_pieces(formula, slope=True) is None


def test_polynomials_are_not_fitted_anew_for_every_value_of_a_parameter():
    """Those of the catalogue's values are kept; others are computed by the formula."""
    formula = activation_formula("scaled_tanh")
    other = formula.with_parameters(beta=0.5)
    assert np.isfinite(_modules.work_in_pieces(formula, "activation"))
    assert _modules.work_in_pieces(other, "activation") == np.inf
    z = np.linspace(-3.0, 3.0, 101, dtype=np.float32)
    for own in (formula, other):
        values = dict(own.parameters)
        expected = values["alpha"] * np.tanh(values["beta"] * z.astype(np.float64))
        got = apply(activation_kernels(own, np.float32).forward, z, z)
        np.testing.assert_allclose(got, expected, rtol=2.0**-22)


def test_nothing_subnormal_is_added_where_a_factor_is_flat():
    """exp(z)*erf(exp(-z)) is exp(z) far to the left, to many digits."""
    own = in_pieces(parse("exp(z)*erf(exp(-z))"), slope=False)
    coefficients = np.array([piece.coefficients for piece in own.left.pieces])
    assert coefficients[-1][0] == 1.0
    assert not coefficients[-1][1:].any()
    assert np.abs(coefficients[coefficients != 0.0]).min() > 1e-12


@pytest.mark.parametrize("text", ["z*(z + 3)/6", "2*z - 1", "max(z, 0)"])
def test_lines_have_no_pieces(text):
    """The slope of a parabola is its own line, and a formula."""
    assert in_pieces(parse(text), slope=True) is None


def test_it_is_used_where_it_takes_less():
    """Two polynomials of degree 1 take less than an exponential, and more than a product."""
    side = Side((Piece(np.inf, 0.0, 0, (1.0, 2.0)),))
    work = InPieces(side, side).work
    lines = ["@njit", "def slow(z):", '    """says"""', "    return exp(z)", "", "", "@njit"]
    lines += ["def fast(z):", '    """says"""', "    return z * z"]
    assert operations_for(lines, "fast") < work < operations_for(lines, "slow")


def test_what_takes_more_than_it_may_is_not_made():
    """Gelu takes 49 operations, half of them for its polynomial."""
    formula = activation_formula("gelu")
    assert in_pieces(formula, slope=False, most=50) == in_pieces(formula, slope=False)
    assert in_pieces(formula, slope=False, most=45) is None


def test_what_was_chosen_in_pieces_is_right_without_them(monkeypatch):
    """Where they are not found a second time, float64 takes their place."""
    formula = activation_formula("gelu")
    tiers = dict.fromkeys(("activation", "derivative"), "pieces")
    monkeypatch.setattr(_modules, "in_pieces", lambda formula, *, slope, most: None)
    monkeypatch.setattr(_modules, "kept_pieces", lambda formula, *, slope: None)
    for source in (
        _modules.kernel_module(formula, "float32", "activation", "pieces"),
        _modules.kernel_module(formula, "float32", "derivative", "pieces"),
        _modules.slope_module(formula, "float32", tiers),
    ):
        assert "single." not in source
        assert "double.erfc" in source


def test_where_a_processor_compares_for_coefficients_other_ways_are_taken(monkeypatch):
    """Gelu gets one polynomial for all z; tanh's sixteen take longer than an exponential."""
    choices = {
        name: activation_kernels(activation_formula(name), np.float32).choice
        for name in ("gelu", "tanh")
    }
    assert {choice.tiers["activation"] for choice in choices.values()} == {"pieces"}
    monkeypatch.setattr(tables, "is_quick", lambda: False)
    in_pieces.cache_clear()
    assert len(in_pieces(activation_formula("gelu"), slope=False).left.pieces) == 1
    for name, choice in choices.items():
        here = _modules.is_for_this_processor(activation_formula(name), choice)
        assert here == (name == "gelu")
    assert _modules.work_in_pieces(activation_formula("tanh"), "activation") == np.inf
    in_pieces.cache_clear()


def test_polynomials_may_begin_with_0():
    """Of z exp(-z**2/2) the polynomial beside the exponential is a multiple of z."""
    z = np.linspace(-9, 9, 181, dtype=np.float32)
    density = np.exp(-(z.astype(np.float64) ** 2) / 2) / np.sqrt(2 * np.pi)
    found = activation("z*exp(-z**2/2)/sqrt(2*pi)")(z)
    np.testing.assert_allclose(found, z * density, rtol=2.5e-7)


def test_what_vanishes_far_out_is_fitted_without_words_of_lapack(capfd):
    """Where powers of places are infinite LAPACK would complain, or search on for ever."""
    _phase(lambda t: mpmath.exp(-4019734), 1e300)
    assert "DLASCL" not in "".join(capfd.readouterr())
