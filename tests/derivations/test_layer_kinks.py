"""Kinks of layer-coupled formulas: where they are, which slope is taken there, and why."""

from __future__ import annotations

import mpmath
import pytest

from chainrule.derivations import SEED, backward_graph, derive, evaluate_layer
from chainrule.formulas import parse, to_text

# Formula; the choices that show, whether smoothly, whether the output jumps; told by hand.
KINKED = {
    "z/max(abs(z))": {"max(abs(z))": (False, False)},
    "max(z, mean(z))": {"max(z, mean(z))": (False, False)},
    "where(z > mean(z), z - mean(z), 0)": {"where(z > mean(z), z - mean(z), 0)": (False, False)},
    "where(z > mean(z), z, 0)": {"where(z > mean(z), z, 0)": (False, True)},
    "abs(z - mean(z))": {"abs(z - mean(z))": (False, False)},
    "max(z) - z": {"max(z)": (False, False)},
    "z + sqrt(sum(z**2))": {"sqrt(sum(z**2))": (False, False)},
    "z/(1 + sqrt(sum(z**2)))": {"sqrt(sum(z**2))": (True, False)},
    "z/max(1, sqrt(sum(z**2)))": {"max(1, sqrt(sum(z**2)))": (False, False)},
    "z*max(0, z)/(1 + sum(abs(z)))": {"abs(z)": (False, False)},
    "where(mean(z) > 0, z, 2*z)": {"where(mean(z) > 0, z, 2*z)": (False, True)},
    "where(z == 0, 5, z) + mean(z)": {"where(z == 0, 5, z)": (False, True)},
    "max(mean(z) - 30, 0)": {"max(mean(z) - 30, 0)": (False, False)},
    "min(z, 2*mean(abs(z)))": {"abs(z)": (False, False), "min(z, 2*mean(abs(z)))": (False, False)},
    "min(z, 10*mean(abs(z)))": {  # of 11 units and more
        "abs(z)": (False, False),
        "min(z, 10*mean(abs(z)))": (False, False),
    },
    "max(sum(tanh(z)) - 5, 0)*z": {"max(sum(tanh(z)) - 5, 0)": (False, False)},
    "max(z - 100*mean(abs(z)), 0)": {
        "abs(z)": (False, False),
        "max(z - 100*mean(abs(z)), 0)": (False, False),
    },
    "max(max(z) - 5, 0)": {"max(z)": (False, False), "max(max(z) - 5, 0)": (False, False)},
    "max(z, 0) + min(z, 0) + abs(mean(z))": {"abs(mean(z))": (False, False)},
}
SMOOTH = (
    "exp(z - max(z))/sum(exp(z - max(z)))",
    "max(z) + log(sum(exp(z - max(z))))",
    "(z - mean(z))/sqrt(mean((z - mean(z))**2) + 1/100)",
    "max(z, 0)**2 + mean(z)",
    "where(z > mean(z), (z - mean(z))**2, 0)",
    "where(z == 0, 1, (exp(z) - 1)/z) + mean(z)",
    "mean(z) + max(z**2, -1) + z*abs(z)",
)


@pytest.mark.parametrize("text", KINKED)
def test_choices_that_show_in_the_slope_are_found(text: str) -> None:
    kinks = derive(parse(text)).layer_kinks
    assert {to_text(k.choice): (k.is_smooth, k.is_jump) for k in kinks} == KINKED[text]


@pytest.mark.parametrize("text", SMOOTH)
def test_choices_that_cancel_or_join_smoothly_are_not_told(text: str) -> None:
    assert derive(parse(text)).layer_kinks == ()


# Formula; what is told; a layer at the kink, ∂J/∂a and, by hand, ∂J/∂z as it is taken there.
TOLD = {
    "abs(z - mean(z))": (
        "Where z_j = mean_k z_k the slope of |z_j - mean_k z_k| by z_j - mean_k z_k jumps from -1 "
        "to 1; taken there: 0, since sign(0) = 0.",
        ((2, 1, 3), (5, 0, 0), (0, 0, 0)),
    ),
    "max(z, mean(z))": (
        "taken there: that of z_j, since max takes its first argument z_j where both",
        ((2, 1, 3), (1, 0, 0), (1, 0, 0)),
    ),
    "max(z - mean(z), 0) + 0.1*min(z - mean(z), 0)": (
        "Where z_j - mean_k z_k = 0 the slopes of max and min jump from that of one argument to "
        "that of the other; taken there: that of 0, since max takes its constant 0 where both "
        "arguments are equal and min takes its constant 0 where both arguments are equal.",
        ((2, 1, 3), (5, 0, 0), (0, 0, 0)),
    ),
    "max(1, mean(z))*z": (
        "Where 1 = mean_k z_k the slope jumps from that of one argument of max to that of the "
        "other; taken there: that of 1, since max takes its constant 1",
        ((0, 2), (3, 4), (3, 4)),
    ),
    "where(z > mean(z), z - mean(z), 0)": (
        "taken there: that of the branch 0, since z_j > mean_k z_k does not hold there.",
        ((2, 1, 3), (1, 0, 0), (0, 0, 0)),
    ),
    "max(z) - z": (
        "Where several units share the largest z_j the slope jumps; taken there: for each of them "
        "an equal part of what max_k z_k passes back",
        ((3, 3, 1), (1, 1, 2), (1, 1, -2)),
    ),
    "z + sqrt(sum(z**2))": (
        "Where Σ_k z_k² = 0 sqrt(Σ_k z_k²) has a kink; taken there: 0 for its slope",
        ((0, 0, 0), (1, 2, 3), (1, 2, 3)),
    ),
    "z*sqrt(sum(z**2))": (
        "Where Σ_k z_k² = 0 the slope of sqrt(Σ_k z_k²) is taken to be 0",
        ((0, 0, 0), (1, 2, 3), (0, 0, 0)),
    ),
}


@pytest.mark.parametrize("text", TOLD)
def test_what_is_taken_at_a_kink_is_told_and_is_what_is_taken(text: str) -> None:
    told, (z, g, wanted) = TOLD[text]
    derivation = derive(parse(text))
    assert told in " ".join(str(derivation).split())
    product = derivation.product or backward_graph(derivation.graph)[0].expression()
    layer, seeds = ([mpmath.mpf(x) for x in values] for values in (z, g))
    outputs = evaluate_layer(derivation.formula.expression, {"z": layer})
    assert evaluate_layer(product, {"z": layer, "a": outputs, SEED: seeds}) == list(wanted)


def test_kinks_are_told_on_pages_and_in_latex() -> None:
    document = derive(parse("max(z) - z")).document
    for written in (document.to_html(), document.to_latex()):
        assert "several units share the largest" in " ".join(written.split())
