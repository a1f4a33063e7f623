"""What a classifier's targets mean: labels to numbers and back, and the weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from chainrule.formulas import ParameterError

_LABELS = "biuU"  # truth values, whole numbers and text: a column of them needs no closer look


def as_labels(y: Any) -> tuple[NDArray[Any], bool]:
    """Return targets as one column of labels, or as zeros and ones for many labels at once."""
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in _LABELS:
        return y, False
    check_classification_targets(y)
    kind = type_of_target(y)
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y has several columns with more than two classes; give one column of labels, or "
            "zeros and ones with a column for each label\nOr train one network for each column: "
            "sklearn.multioutput.MultiOutputClassifier(FeedforwardClassifier())."
        )
    if kind == "multilabel-indicator":
        return (y.toarray() if issparse(y) else np.asarray(y)), True
    return (column_or_1d(y, warn=True) if y.ndim == 2 else y), False


def codes_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Return the place of each label among the sorted classes.

    Raises
    ------
    ValueError
        A label is none of the classes.
    """
    present, inverse = np.unique(labels, return_inverse=True)
    unknown = np.setdiff1d(present, classes)
    if unknown.size:
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. "
            f"'y' has {present}."
        )
    codes: NDArray[np.intp] = np.searchsorted(classes, present)[inverse]
    return codes


def smoothed(targets: NDArray[Any], smoothing: float, *, several: bool) -> NDArray[Any]:
    r"""Return targets with a share of their weight spread evenly over the classes [1]_.

    .. math:: y' = (1 - \epsilon) y + \epsilon / K

    with the number of classes :math:`K`, which is two for a unit that tells one label.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision",
       CVPR 2016, section 7.
    """
    classes = targets.shape[1] if several else 2
    return (1.0 - smoothing) * targets + smoothing / classes


def weighed(
    class_weight: Any,
    labels: NDArray[Any],
    weights: NDArray[Any],
    classes: NDArray[Any],
    *,
    partial: bool,
) -> NDArray[Any]:
    """Return the weights of examples, multiplied with those of their classes.

    Raises
    ------
    ParameterError
        The weights of the classes do not fit the classes, leave no example any weight, or need all
        data where there is a part.
    """
    if class_weight is None:
        return weights
    if partial and isinstance(class_weight, str):
        raise ParameterError(
            "class_weight='balanced' needs all data at once, partial_fit has a part\n"
            "Compute the weights of all labels by sklearn.utils.class_weight.compute_class_weight "
            "and give them as a dict."
        )
    by_class = _class_weights(class_weight, labels, classes).astype(weights.dtype)
    whole: NDArray[Any] = weights * by_class
    if not whole.sum() > 0.0:
        raise ParameterError("class_weight gives no class in y a weight above 0")
    return whole


def _class_weights(class_weight: Any, labels: NDArray[Any], classes: NDArray[Any]) -> Any:
    """Return the weight that each example has through its class."""
    if labels.ndim == 1 and isinstance(class_weight, Mapping):
        unknown = [label for label in class_weight if label not in classes]
        if unknown:
            raise ParameterError(
                f"class_weight names {unknown[0]!r}, which is none of the classes "
                f"{', '.join(map(str, classes[:10]))}"
            )
        weights = np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
        if not (np.isfinite(weights) & (weights >= 0.0)).all():
            raise ParameterError(f"class_weight must hold numbers of at least 0; got {weights}")
        return weights[codes_of(labels, classes)]
    return compute_sample_weight(class_weight, labels)
