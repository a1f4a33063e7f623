"""What goes in: inputs, dense or sparse, and the weights of examples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from chainrule.networks import NetworkError

FLOATS = (np.float64, np.float32)
_SMALL = 4096  # above so many numbers their sum tells sooner whether they are finite


def is_ready(X: Any, features: int) -> bool:
    """Tell whether X needs neither conversion nor a closer look.

    True only for what scikit-learn's `validate_data` would return as it is; all else goes there,
    for the conversion or the error.
    """
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == features
        and X.shape[0] > 0
        and X.dtype in FLOATS
        and X.flags.c_contiguous
        and _is_finite(X)
    )


def _is_finite(X: NDArray[Any]) -> bool:
    if X.size <= _SMALL:
        return bool(np.isfinite(X).all())
    # An overflowing sum only costs the closer look.
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(np.add.reduce(X, axis=None, dtype=np.float64))


def checked(estimator: Any, X: ArrayLike) -> Any:
    """Return inputs to predict from: an array of float32 or float64, or a CSR matrix."""
    names = vars(estimator).get("feature_names_in_")
    ready = X if names is None else _of_frame(X, names)
    if is_ready(ready, estimator.n_features_in_):
        return ready
    return validate_data(estimator, X, reset=False, accept_sparse="csr", dtype=FLOATS, order="C")


def _of_frame(X: Any, names: NDArray[Any]) -> NDArray[Any] | None:
    """Return the numbers of a frame of pandas with these columns, if it is of NumPy's floats."""
    if type(X).__module__.partition(".")[0] != "pandas" or getattr(X, "ndim", 0) != 2:
        return None
    if X.columns.tolist() != names.tolist() or not set(X.dtypes) <= set(map(np.dtype, FLOATS)):
        return None
    return np.ascontiguousarray(X.to_numpy())


def dense(X: Any) -> NDArray[Any]:
    """Return X as an array."""
    whole: NDArray[Any] = X.toarray(order="C") if issparse(X) else X
    return whole


def checked_weights(sample_weight: ArrayLike | None, X: Any) -> NDArray[Any]:
    """Return one weight for each example.

    Raises
    ------
    ValueError
        They are not one finite number of at least 0 for each example, not all of them 0.
    """
    if sample_weight is None:
        return np.ones(X.shape[0], X.dtype)
    weights: NDArray[Any] = check_array(
        sample_weight, ensure_2d=False, dtype=X.dtype, copy=True, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    if weights.shape != (X.shape[0],):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(X.shape[0],)}!")
    if (weights < 0.0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.sum() > 0.0:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def unpacked(eval_set: Any) -> list[tuple[Any, Any, Any]]:
    """Return the sets to evaluate as inputs, targets, and weights or None."""
    if eval_set is None:
        return []
    listed = eval_set if isinstance(eval_set, list) else None
    if listed is None or not all(isinstance(e, tuple) and len(e) in (2, 3) for e in listed):
        raise NetworkError(
            f"eval_set must be a list of (X, y) or (X, y, sample_weight); got {eval_set!r:.60}\n"
            "Write eval_set=[(X_validation, y_validation)]."
        )
    return [(entry[0], entry[1], entry[2] if len(entry) == 3 else None) for entry in listed]
