"""The designed sample."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.certificates._sample import batches, sample, switches
from chainrule.certificates._ulp import format_of
from chainrule.formulas import parse


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_holds_all_binades_and_the_ends_of_the_format(dtype: type) -> None:
    form, limits = format_of(dtype), np.finfo(dtype)
    z = sample(parse("exp(z)"), form)
    assert z.dtype == dtype
    assert np.isfinite(z).all()
    assert (np.diff(z) > 0).all()
    assert 2000 < len(z) < 4000
    for end in (0, limits.max, limits.smallest_normal, limits.smallest_subnormal):
        assert end in z
        assert -end in z
    stride = 1 if dtype is np.float32 else 8
    exponents = np.unique(np.frexp(z[z > 0])[1])
    assert np.diff(exponents).max() <= stride


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("max(0, z)", [0.0]),
        ("abs(z - 1)", [1.0]),
        ("sign(z + 2)*z", [-2.0]),
        ("where(z > 0.1, z, 0)", [0.1]),
        ("where(z*z > 2, z, 0)", [-(2**0.5), 2**0.5]),
        ("max(0, min(1, z/6 + 1/2))", [-3.0, 3.0]),
        ("where(z < 1e30, z, 1)", [1e30]),
        ("where(exp(z) > 3, where(z > 2, 1, z), 0)", [np.log(3.0), 2.0]),
        ("exp(z)", []),
    ],
)
def test_switches_are_found_to_the_last_place(text: str, places: list[float], dtype: type) -> None:
    """Every switch of the formula is in the sample, with two neighbours on each side."""
    formula, form = parse(text), format_of(dtype)
    found = np.array(switches(formula, form))
    assert bool(len(found)) == bool(places)
    z = sample(formula, form)
    for place in places:
        nearest = dtype(place)
        assert np.abs(found - nearest).min() <= np.spacing(np.abs(nearest))
        index = int(np.searchsorted(z, nearest))
        around = z[index - 1 : index + 2]
        assert np.nextafter(nearest, dtype(np.inf)) in around
        assert np.nextafter(nearest, dtype(-np.inf)) in around


def test_batches_are_the_same_every_time() -> None:
    first, second = list(batches(format_of("float32"))), list(batches(format_of("float32")))
    assert {batch.z.shape[1] for batch in first} == {1, 2, 3, 10, 50}
    for one, other in zip(first, second, strict=True):
        assert one.z.dtype == np.float32
        assert (one.z == other.z).all()
        assert (one.weights == other.weights).all()
