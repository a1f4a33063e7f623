"""Layer-coupled kernels in float32: rows of any length, whatever lies beside them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kernels.native import call

import chainrule
from chainrule.derivations import backward_graph, computation_graph
from chainrule.formulas import parse
from chainrule.kernels import activation_kernels
from chainrule.kernels.stable_forms._passes import in_few_passes, levels
from chainrule.kernels.stable_forms._powers import powers

NAMES = ("softmax", "log_softmax")
# Formulas of the softmax family: the rate of their exponentials, and a unit beside them.
FAMILY = {
    "exp(-z)/sum(exp(-z))": (-1.0, 0.0),
    "exp(z)/(1 + sum(exp(z)))": (1.0, 1.0),
    "exp(z/0.3)/sum(exp(z/0.3))": (np.longdouble(10) / 3, 0.0),
    "exp(-z/7)/sum(exp(-z/7))": (-np.longdouble(1) / 7, 0.0),
    "exp(-2*z)/(3 + sum(exp(-2*z)))": (-2.0, 3.0),
    "exp(z/1000)/sum(exp(z/1000))": (np.longdouble(1) / 1000, 0.0),
}


def reference(name: str, z: np.ndarray) -> np.ndarray:
    """Return the softmax or its logarithm in extended precision."""
    moved = z.astype(np.longdouble) - z.max(axis=1, keepdims=True)
    total = np.exp(moved).sum(axis=1, keepdims=True)
    result = np.exp(moved) / total if name == "softmax" else moved - np.log(total)
    return result.astype(np.float64)


def shares(z: np.ndarray, rate: float, beside: float) -> np.ndarray:
    """Return exp(rate*z)/(beside + sum(exp(rate*z))) in extended precision."""
    scaled = rate * z.astype(np.longdouble)
    top = scaled.max(axis=1, keepdims=True)
    top = np.maximum(top, 0.0) if beside else top
    parts = np.exp(scaled - top)
    total = parts.sum(axis=1, keepdims=True) + (beside * np.exp(-top) if beside else 0.0)
    return (parts / total).astype(np.float64)


def units_apart(got: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest error in ulp of float32."""
    spacing = np.spacing(np.abs(wanted).astype(np.float32))
    return float(np.max(np.abs(got - wanted) / spacing))


@pytest.mark.parametrize(
    ("name", "function"), [("log_softmax", "exp_below"), ("softmax", "multiple_of_exp_below")]
)
def test_the_softmax_family_runs_in_float32(name, function):
    """What each unit has is in float32; what is shared and summed is not."""
    source = chainrule.activation(name).source()
    assert f"single.{function}(" in source
    assert "accumulate(v" in source
    assert "np.float64(" in source


def test_what_exponentials_of_a_row_share_waits_for_other_rows():
    """It takes an exponential of float64: of several rows at once, before their units."""
    forward = chainrule.activation("log_softmax").source().split("def forward")[1]
    stages = forward.split("for i in range(start, stop):")
    (own,) = (stage for stage in stages if "single.factor_below(" in stage)
    assert "for j in" not in own


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_any_length_keep_their_digits(name):
    """Rows that fill vectors, and rows that do not, the last one too."""
    random = np.random.default_rng(0)
    activation = chainrule.activation(name)
    for units in (1, 2, 3, 10, 15, 16, 17, 31, 33, 63, 64, 65, 100, 130):
        z = (random.normal(size=(5, units)) * 4).astype(np.float32)
        assert units_apart(activation(z), reference(name, z)) < 4, units


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 50])
def test_rows_wait_for_one_another_in_blocks(rows):
    """Whole blocks and the last one; in place too, where rows are written while others are read."""
    z = (np.random.default_rng(3).normal(size=(rows, 7)) * 4).astype(np.float32)
    activation, wanted = chainrule.activation("log_softmax"), reference("log_softmax", z)
    assert "min(start + block, rows)" in activation.source()
    activation(z, out=z)
    assert units_apart(z, wanted) < 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("offset", [0.0, 500.0, -900.0, 1023.9, 1500.0, -5e4, 3e6])
def test_an_offset_costs_no_digits(name, offset):
    """The difference from the largest unit is not rounded, near 0 and far from it."""
    z = (np.random.default_rng(1).normal(size=(200, 40)) * 10 + offset).astype(np.float32)
    assert units_apart(chainrule.activation(name)(z), reference(name, z)) < 4


def test_what_lies_in_the_next_row_is_not_used():
    """A kernel reads on into the next row to fill vectors; its numbers reach no result."""
    kernel = activation_kernels(chainrule.activation("log_softmax").formula, np.float32).forward
    z = np.random.default_rng(2).normal(size=(4, 21)).astype(np.float32)
    wanted = call(kernel, z, z, np.empty_like(z))
    for value in (np.inf, np.nan, 3e38, -np.inf):
        beside = z.copy()
        beside[1::2] = value
        assert np.array_equal(call(kernel, beside, beside, np.empty_like(z))[::2], wanted[::2])


def test_special_units():
    """NaN reaches the whole row, whatever its sign and digits; -inf is a unit without a share."""
    softmax = chainrule.activation("softmax")
    for bits in (0x7FC00000, 0x7F800001, 0xFF800001, 0xFFFFFFFF):
        z = np.zeros((1, 20), np.float32)
        z.view(np.uint32)[0, 3] = bits
        assert np.isnan(softmax(z)).all()
    z = np.zeros((1, 3), np.float32)
    z[0, 1] = -np.inf
    assert softmax(z).tolist() == [[0.5, 0.0, 0.5]]
    assert np.isnan(softmax(np.full((1, 3), -np.inf, np.float32))).all()


def test_shares_below_the_normal_numbers():
    """Results are subnormal where they should be, and 0 beyond."""
    z = np.array([[0.0, -88.0, -95.0, -103.0, -104.5, -1e30]], np.float32)
    got, wanted = chainrule.activation("softmax")(z), reference("softmax", z)
    assert np.abs(got - wanted).max() < 4 * 2.0**-149 + 4e-7
    assert np.abs(got - wanted)[0, 2:].max() < 4 * 2.0**-149
    assert got[0, 3] > 0
    assert got[0, 5] == 0


@pytest.mark.parametrize("formula", FAMILY)
def test_the_family_of_softmax_keeps_its_digits(formula):
    """Rates of either sign, numbers beside the sum, offsets near and far."""
    activation, (rate, beside) = chainrule.activation(formula), FAMILY[formula]
    assert "exp_below(" in activation.source().split("def backward")[0]
    random = np.random.default_rng(4)
    for offset in (0.0, 40.0, -300.0, 900.0, -2e4, 3e6):
        for units in (1, 3, 16, 41, 100):
            z = (random.normal(size=(30, units)) * 6 + offset).astype(np.float32)
            assert units_apart(activation(z), shares(z, rate, beside)) < 4, (offset, units)


# Of masked ratios: the sign of what they choose, and a number beside the sum.
MASKED = {
    "where(z > 0, exp(z), 0)/(1 + sum(where(z > 0, exp(z), 0)))": (1.0, 1.0),
    "where(z > 0, exp(z), 0)/sum(where(z > 0, exp(z), 0))": (1.0, 0.0),
    "where(z > 0, 0, exp(z))/sum(where(z > 0, 0, exp(z)))": (-1.0, 0.0),
}


@pytest.mark.parametrize("text", MASKED)
@pytest.mark.parametrize("scale", [1.0, 300.0, 1e6])
def test_masked_ratios_neither_overflow_nor_vanish(text, scale):
    """Their units' own extreme counts, not that of the units left out."""
    z = (np.random.default_rng(9).normal(size=(40, 9)) * scale).astype(np.float32)
    z[:, :2] = np.abs(z[:, :2]) * [1, -1]  # some of either sign
    (sign, beside), wide = MASKED[text], z.astype(np.longdouble)
    chosen = sign * z > 0
    top = np.where(chosen, wide, -np.inf).max(axis=1, keepdims=True)
    parts = np.where(chosen, np.exp(np.where(chosen, wide - top, 0)), 0)
    rest = np.exp(-top) if beside else 0
    wanted = parts / (parts.sum(axis=1, keepdims=True) + rest)
    got = chainrule.activation(text)(z)
    assert units_apart(got, wanted.astype(np.float64)) < 4
    slopes = chainrule.activation(text).backward(np.ones_like(z), z)
    total = wanted * (1 - wanted.sum(axis=1, keepdims=True))
    assert np.abs(slopes - total).max() < 1e-6


def test_logs_of_masked_sums_do_not_overflow():
    """A part is shifted where the whole cannot be."""
    z = np.array([[1000.0, 999.0, -1.0]], np.float32)
    got = chainrule.activation("where(z > 0, z, 0) - log(sum(where(z > 0, exp(z), 0)))")(z)
    np.testing.assert_allclose(got, [[-0.3132617, -1.3132617, -1000.31323]], rtol=1e-6)


def test_a_condition_keeps_the_origin():
    """Units counted from the first one of a row would be other ones."""
    z = np.array([[5.0, -1.0, 3.0, -3.0]], np.float32)
    got = chainrule.activation("where(z > 0, z - mean(z), 0)")(z)
    np.testing.assert_array_equal(got, [[4.0, 0.0, 2.0, 0.0]])


def test_rows_longer_than_a_block():
    """A block is one row there, and what it keeps is as long as the row."""
    z = (np.random.default_rng(5).normal(size=(3, 5000)) * 3).astype(np.float32)
    for name in NAMES:
        assert units_apart(chainrule.activation(name)(z), reference(name, z)) < 4


@pytest.mark.parametrize(
    "formula",
    ["exp(-(z - max(z)))", "exp(z - min(z))", "exp(2*(z - mean(z)))", "exp(k*(z - max(z)))"],
)
def test_exponentials_that_may_exceed_one_are_no_powers(formula):
    """In float32 they would overflow where the function does not."""
    graph = computation_graph(parse(formula, {"k": -2.0} if "k" in formula else {}).expression)
    assert not powers(graph, {"k": -2.0})


def test_powers_of_either_sign():
    """The extreme is the largest or the least, as the rate's sign asks for."""
    graph = computation_graph(
        parse("exp((z - max(z))/3) + exp(-k*(z - min(z)))", {"k": 2.0}).expression
    )
    found = {str(power.extreme): power.kind for power in powers(graph, {"k": 2.0}).values()}
    assert list(found.values()) == ["scaled_", "scaled_"]


def test_layer_norm_goes_back_in_three_passes():
    """The mean of ∂J/∂(z - mean(z)) is put together of sums that are known a pass earlier."""
    formula = parse("(z - mean(z))/sqrt(mean((z - mean(z))**2) + 0.01)")
    graph, _ = backward_graph(computation_graph(formula.expression))
    fewer, place = in_few_passes(graph)
    assert levels(graph)[graph.output] == 3
    assert levels(fewer)[fewer.output] == 2
    assert fewer.nodes[place[graph.output]] == fewer.nodes[fewer.output]


def test_layer_norm_in_float32_goes_back_in_two_passes():
    """Counted from the first unit, squares of differences from the mean may be taken apart."""
    source = chainrule.activation("layer_norm").source().split("def backward")[1]
    assert source.count("for j in range(columns)") == 3  # the last one in float32, or as it is
    assert source.count("(z[i, j] - high_v") == 1
    wide = activation_kernels(chainrule.activation("layer_norm").formula, np.float64).source
    assert "z[i, 0]" not in wide


@pytest.mark.parametrize("units", [1, 2, 10, 100, 1000])
@pytest.mark.parametrize(
    ("dtype", "offset", "scale", "first"),
    [
        (np.float64, 0, 3, 0),
        (np.float32, 0, 3, 0),
        (np.float32, 1e6, 1, 0),
        (np.float32, 0, 1, 1e9),
        (np.float32, 0, 1e25, 0),
        (np.float32, -1e20, 1e17, 0),
        (np.float32, 0, 1e-19, 1),
    ],
)
def test_sums_taken_apart_keep_the_gradient(units, dtype, offset, scale, first):
    """Against the closed form in extended precision, of the terms' magnitude."""
    random = np.random.default_rng(6)
    z = (random.normal(size=(20, units)) * scale + offset).astype(dtype)
    z[:, 0] += dtype(first)
    da = random.normal(size=z.shape).astype(dtype)
    got = chainrule.activation("layer_norm").backward(da, z)
    wide, g = z.astype(np.longdouble), da.astype(np.longdouble)
    centred = wide - wide.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.longdouble("1e-5"))
    a = centred / spread
    terms = g, -g.mean(axis=1, keepdims=True), -a * (a * g).mean(axis=1, keepdims=True)
    size = sum(np.abs(term) for term in terms) + np.abs(g).mean(axis=1, keepdims=True)
    size += np.abs(a) * np.abs(a * g).mean(axis=1, keepdims=True)
    assert (np.abs(got - sum(terms) / spread) / (size / spread)).max() < 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("text", ["z/(0*sum(z)) + z/sum(z)", "z/sum(z) + z/((1 - 1)*sum(z))"])
def test_a_factor_of_zero_below_is_no_error(text):
    """Its reciprocal is infinite, as in NumPy."""
    z = np.ones((2, 3), np.float32)
    assert np.isinf(chainrule.activation(text)(z)).all()


def test_layers_whose_first_arithmetic_fails_get_another():
    """There are no pieces of them to think of."""
    layer = chainrule.activation("exp(z**3/9)/(2 + sum(exp(z**3/9)))")
    z = np.random.default_rng(8).normal(size=(4, 5)).astype(np.float32)
    kernels = activation_kernels(layer.formula, np.float32)
    assert not {"single", "narrow"} & set(kernels.choice.tiers.values())
    cubes = z.astype(np.longdouble) ** 3
    assert units_apart(layer(z), shares(cubes, np.longdouble(1) / 9, 2.0)) < 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_products_cancel(dtype):
    """Neither is rounded with the difference they go into: under a root, less than 0 is NaN."""
    z = np.abs(np.random.default_rng(0).normal(size=(200, 1))).astype(dtype)
    assert not chainrule.activation("sqrt(max(z)*max(z) - z*z)")(z).any()


def test_a_formula_that_is_always_zero():
    """Of it no fraction is built that would divide by 0."""
    z = np.linspace(-2.0, 2.0, 9, dtype=np.float32)
    assert not chainrule.activation("z*sin(z)*z - z*z*sin(z) + 0*z")(z).any()


@pytest.mark.parametrize("units", [2, 100])
def test_a_product_is_rounded_once_with_the_sum_that_takes_it_in(units):
    """The square of 1 + 2⁻³⁰ needs 61 digits; next to -1 its last one counts."""
    z = np.zeros((1, units))
    z[0, 0], z[0, 64 if units > 64 else 1] = -1.0, 1 + 2.0**-30
    sums = chainrule.activation("z*0 + sum(z*abs(z))")(z)
    assert np.all(sums == 2.0**-29 + 2.0**-60)
