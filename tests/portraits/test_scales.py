"""Portraits of functions whose scale is far from 1, against hand-worked results."""

import math
import subprocess
import sys

import pytest

import chainrule

_TURN = 1.2784645427610738  # where 1 + (1 - z)*exp(z) = 0 has -z: silu's lowest place
_LOWEST = 0.2784645427610738
_STEEPEST = 1.0998393201288672  # silu's largest slope


def _portrait(text, **parameters):
    return chainrule.activation(text, **parameters).portrait()


def _only(known, subject):
    (statement,) = known.about(subject)
    assert statement.proved
    return statement


@pytest.mark.parametrize("rate", [1e-6, 1e-3, 0.02, 50.0, 1e3, 1e5])
def test_silu_of_any_rate(rate):
    """z·σ(rate·z) turns where silu does over the rate, and is as steep."""
    known = _portrait(f"z/(1 + exp(-{rate:g}*z))")
    assert _only(known, "infimum").bounds == pytest.approx((-_LOWEST / rate,) * 2)
    assert _only(known, "largest slope").bounds == pytest.approx((_STEEPEST,) * 2)
    falls, rises = known.about("monotone")
    assert falls.text.startswith("decreasing")
    assert (falls.bounds[1], rises.bounds[0]) == pytest.approx((-_TURN / rate,) * 2)
    assert [s.text for s in known.about("zero")] == ["z = 0"]


@pytest.mark.parametrize("rate", [1e8, 1e3, 1e-5])
def test_tanh_of_any_rate(rate):
    """tanh(rate·z) rises everywhere, with slope rate at 0."""
    known = _portrait(f"tanh({rate:g}*z)")
    assert _only(known, "monotone").text == "increasing on (-∞, ∞)"
    assert _only(known, "largest slope").bounds == pytest.approx((rate, rate))
    assert [s.text for s in known.about("convexity")] == ["convex on (-∞, 0)", "concave on (0, ∞)"]
    assert _only(known, "supremum").text == "1, not attained"


@pytest.mark.parametrize("size", ["1e20", "1e5", "1e-4"])
def test_softsign_of_any_size(size):
    known = _portrait(f"{size}*z/({size} + abs(z))")
    assert _only(known, "supremum").bounds == pytest.approx((float(size),) * 2)
    assert _only(known, "monotone").text == "increasing on (-∞, ∞)"
    assert _only(known, "largest slope").bounds == (1, 1)


@pytest.mark.parametrize(
    "text", ["log(log(1 + exp(z)) + 1)", "sqrt(1 + log(1 + exp(z)))", "log(log(log(exp(z) + 20)))"]
)
def test_logarithms_of_what_grows_grow(text):
    assert _portrait(text).about("limit")[-1].bounds == (math.inf, math.inf)


def test_parts_that_cancel_leave_an_exact_number():
    """Two rectifiers with the same place are 0 and nothing else."""
    known = _portrait("max(z - a0, 0) - max(z - b0, 0)", a0=1.0, b0=1.0)
    assert _only(known, "infimum").bounds == _only(known, "supremum").bounds == (0, 0)
    assert {s.text for s in known.about("zero")} == {
        "every z in (-∞, 1)", "z = 1", "every z in (1, ∞)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("z/(1 + 2**(-z))", math.log(2)),
        ("z/(1 + 10**(-z))", math.log(10)),
        ("z/(1 + (1/3)**z)", math.log(3)),
    ],
)
def test_silu_with_a_power_of_a_number(text, rate):
    """A power with base b is an exponential of rate log b."""
    known = _portrait(text)
    assert _only(known, "infimum").bounds == pytest.approx((-_LOWEST / rate,) * 2)
    assert _only(known, "largest slope").bounds == pytest.approx((_STEEPEST,) * 2)
    assert all(s.proved for s in known.statements)


def test_moments_of_powers_of_numbers():
    """``E 2**(2z) = exp(2·log(2)²)``, and ``E z²·4**(-z²)`` is a normal integral."""
    power = _only(_portrait("2**z"), "gain")
    assert power.bounds == pytest.approx((math.exp(-(math.log(2) ** 2)),) * 2)
    square = (1 + 4 * math.log(2)) ** -1.5
    assert _only(_portrait("z*2**(-z**2)"), "gain").bounds == pytest.approx((square**-0.5,) * 2)


@pytest.mark.parametrize(
    ("text", "square"),
    [
        # What differs from a step is as wide as 1/rate, where the density is 1/sqrt(2π).
        ("1/(1 + exp(-z/1e-5))", 1 / 2 - 1e-5 / math.sqrt(2 * math.pi)),
        ("tanh(1e8*z)", 1 - 2e-8 / math.sqrt(2 * math.pi)),
        ("1e-8*tanh(1e8*z)", 1e-16 * (1 - 2e-8 / math.sqrt(2 * math.pi))),
        ("z/(1 + exp(-1e5*z))", 1 / 2),
    ],
)
def test_gain_of_what_is_nearly_a_step(text, square):
    low, high = _only(_portrait(text), "gain").bounds
    assert low * (1 - 1e-12) <= square**-0.5 <= high * (1 + 1e-12)
    assert high - low < 1e-8 * high


def test_no_number_is_written_out_that_never_ends():
    """Nothing interrupts a power of whole numbers: in a process of its own, a limit does."""
    formulas = [
        ("3**(z**9) + min(900, z)", {}),
        ("3**((z + 999)**9)", {}),
        ("3**(z**9) - 2**(z**9) + min(900, z)", {}),
        ("exp(log(3)*z**9) + min(900, z)", {}),
        ("log(abs(z) + 1e-300)*max(z, 1e200)", {}),
        ("alpha**(z**9) + max(z, beta)", {"alpha": 1e30, "beta": 1e30}),
        ("where(z > 1e300, z**2, exp(z**9))", {}),
    ]
    script = (
        "import chainrule\n"
        f"for text, values in {formulas!r}:\n"
        "    found = chainrule.activation(text, **values).portrait().about('domain')\n"
        "    print(*(s.text for s in found))"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == ["defined for every real z"] * len(formulas)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("exp(z**9) + min(900, z)", "defined for every real z"),
        ("log(abs(z - 900)) + min(z, 900)", "defined for z ≠ 900"),
        ("exp(1/(z - 900)**2) + min(z, 900)", "defined for z ≠ 900"),
        ("exp(1e9/(z - sqrt(2))**2) + abs(z - sqrt(2))", "defined for z ≠ 1.414213562"),
    ],
)
def test_what_is_too_large_to_be_had_is_defined(text, domain):
    """A pole is not: ``exp(900**9)`` is a number."""
    assert _only(_portrait(text), "domain").text == domain
