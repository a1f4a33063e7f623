"""Functions that are linked into what calls them."""

import numpy as np
import pytest
from numba import njit

from chainrule.kernels.compiling._parts import inner


@inner()
def _scaled(values, factor, whole):
    for k in range(values.size):
        values[k] *= factor if whole else 1.0
    return values.size


@inner(error_model="numpy")
def _twice(values, factor):
    return _scaled(values, factor, True) + _scaled(values, factor, False)


@njit
def _outer(values):
    return _twice(values, 3) + _scaled(values, 0.5, True)


def test_parts_of_parts_compute_what_python_computes():
    values = np.arange(4.0)
    assert _outer(values) == 12
    assert values.tolist() == [0.0, 1.5, 3.0, 4.5]


def test_a_part_is_compiled_once_for_a_type_whatever_the_constants():
    _outer(np.arange(4.0))
    factors = [str(signature[1]) for signature in _scaled.overloads]
    assert sorted(factors) == ["float64", "int64"]


def test_a_part_cannot_be_called_from_python():
    _outer(np.arange(4.0))
    with pytest.raises(TypeError, match="not callable"):
        _scaled(np.arange(4.0), 0.5, True)
