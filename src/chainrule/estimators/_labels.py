"""What a classifier's targets mean: labels to numbers and back, and the weights of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from chainrule.estimators._parameters import Interval
from chainrule.formulas import ParameterError

Labels = NDArray[Any] | list[NDArray[Any]]  # a list holds the labels, or classes, of each column

_WEIGHT = Interval(0.0, math.inf, "[)")
_LABELS = "biuU"  # truth values, whole numbers and text: a column of them needs no closer look
_NUMBERS = bool | int | float | np.number | np.bool_


def with_types(y: Any) -> Any:
    """Return a table of text and numbers as an array of both, where all would become text.

    Rows in lists would in NumPy; frames are refused by scikit-learn in some combinations of types.
    """
    if hasattr(y, "columns") and np.ndim(y) == 2 and np.shape(y)[1] > 1:
        table = np.array(y, object)
        if hasattr(y, "isna"):
            table = np.where(y.isna(), np.nan, table)
        return table.astype(np.int64) if ((table == 0) | (table == 1)).all() else table
    rows = y if isinstance(y, list | tuple) else ()
    if not rows or not all(isinstance(row, list | tuple) for row in rows):
        return y
    kinds = {isinstance(value, str) for value in rows[0]}
    return np.array(y, object) if len(kinds) > 1 and len(set(map(len, rows))) == 1 else y


def as_labels(y: Any, *, in_columns: bool) -> Labels:
    """Return targets as labels.

    Returns
    -------
    ndarray or list of ndarray
        One column of labels; zeros and ones with a column for each of many labels; or a list of
        several columns of labels.

    Parameters
    ----------
    y : ndarray or sparse matrix
    in_columns : bool
        Whether several columns of zeros and ones are labels of several columns as well; those of an
        array of objects always are.
    """
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in _LABELS:
        return y
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 1:
        columns = _columns(y)
        if (
            in_columns
            or y.dtype.kind == "O"
            or not all(_is_zeros_and_ones(column) for column in columns)
        ):
            for column in columns:
                check_classification_targets(column)
            return columns
        return np.column_stack(columns)
    check_classification_targets(y)
    if type_of_target(y) == "multilabel-indicator":
        return np.asarray(y.toarray() if issparse(y) else y)
    return np.asarray(column_or_1d(y, warn=True) if y.ndim == 2 else y)


def columns_of(y: Any) -> NDArray[Any]:
    """Return several columns of labels as `labels_of` gives them."""
    return _joined(_columns(np.asarray(with_types(y))))


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    if len({column.dtype.kind for column in columns}) > 1:
        columns = [column.astype(object) for column in columns]
    return np.column_stack(columns)


def _columns(y: NDArray[Any]) -> list[NDArray[Any]]:
    return [_column(y[:, place], place) for place in range(y.shape[1])]


def _column(values: NDArray[Any], place: int) -> NDArray[Any]:
    """Return a column in the type of its own labels."""
    if values.dtype.kind != "O":
        return values
    listed = values.tolist()
    if not (
        all(isinstance(value, str) for value in listed)
        or all(isinstance(value, _NUMBERS) for value in listed)
    ):
        kinds = ", ".join(sorted({type(value).__name__ for value in listed}))
        raise ValueError(
            f"column {place} of y mixes labels of the types {kinds}; expected text alone, or "
            "numbers alone"
        )
    return np.array(listed)


def _is_zeros_and_ones(column: NDArray[Any]) -> bool:
    return column.dtype.kind in "biuf" and bool(((column == 0) | (column == 1)).all())


def classes_of(labels: Labels) -> Labels:
    """Return the classes of labels, sorted; of many labels their numbers."""
    if isinstance(labels, list):
        return [np.unique(column) for column in labels]
    return np.arange(labels.shape[1]) if labels.ndim == 2 else np.unique(labels)


def given_classes(classes: Any) -> Labels:
    """Return classes that a person gave, sorted: one set of labels, or one for each column."""
    by_column = isinstance(classes, Sequence | np.ndarray) and not isinstance(classes, str)
    if by_column and len(classes) and all(np.ndim(column) == 1 for column in classes):
        return [np.unique(np.asarray(column)) for column in classes]
    return np.unique(np.asarray(classes))


def are_same(classes: Labels, others: Labels) -> bool:
    """Tell whether classes are the same."""
    if isinstance(classes, list) and isinstance(others, list):
        return len(classes) == len(others) and all(map(np.array_equal, classes, others))
    if isinstance(classes, list) or isinstance(others, list):
        return False
    return np.array_equal(classes, others)


def codes_of(labels: Labels, classes: Labels) -> NDArray[np.intp]:
    """Return the place of each label among the sorted classes.

    Raises
    ------
    ValueError
        A label is none of the classes, or the labels are not of as many columns.
    """
    if isinstance(labels, list) and isinstance(classes, list):
        if len(labels) != len(classes):
            raise ValueError(
                f"y has {len(labels)} columns of labels, but there are classes of {len(classes)}"
            )
        return np.column_stack(list(map(codes_of, labels, classes)))
    if isinstance(labels, list) or isinstance(classes, list):
        raise ValueError(
            "y has several columns of classes and the estimator one, or the reverse\n"
            "In partial_fit, give classes as a list with the labels of each column."
        )
    if labels.ndim == 2:
        if labels.shape[1] != len(classes):
            raise ValueError(
                f"y has {labels.shape[1]} columns of labels, but there are {len(classes)} classes"
            )
        return labels
    present, inverse = np.unique(labels, return_inverse=True)
    unknown = np.setdiff1d(present, classes)
    if unknown.size:
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. "
            f"'y' has {present}."
        )
    codes: NDArray[np.intp] = np.searchsorted(classes, present)[inverse]
    return codes


def labels_of(codes: NDArray[np.intp], classes: Labels) -> NDArray[Any]:
    """Return the labels at places among the classes; where columns differ in kind, as objects."""
    if not isinstance(classes, list):
        labels: NDArray[Any] = classes[codes]
        return labels
    return _joined([own[of] for own, of in zip(classes, codes.T, strict=True)])


def weighed(
    class_weight: Any,
    labels: Labels,
    weights: NDArray[Any],
    classes: Labels,
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


def _class_weights(class_weight: Any, labels: Labels, classes: Labels) -> Any:
    if isinstance(labels, list) and isinstance(classes, list):
        listed = [class_weight] * len(labels) if class_weight == "balanced" else class_weight
        if not isinstance(listed, list) or len(listed) != len(labels):
            raise ParameterError(
                "class_weight does not fit y, which has several columns of labels\n"
                f"Give 'balanced', or a list of {len(labels)} dicts of labels to weights."
            )
        return np.prod(list(map(_class_weights, listed, labels, classes)), axis=0)
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and isinstance(class_weight, Mapping):
        assert isinstance(classes, np.ndarray)
        unknown = [label for label in class_weight if label not in classes]
        if unknown:
            raise ParameterError(
                f"class_weight names {unknown[0]!r}, which is none of the classes "
                f"{', '.join(map(str, classes[:10]))}"
            )
        weights = [class_weight.get(label, 1.0) for label in classes.tolist()]
        if not all(weight in _WEIGHT for weight in weights):
            raise ParameterError(f"class_weight must hold {_WEIGHT} for each class; got {weights}")
        return np.array(weights, np.float64)[codes_of(labels, classes)]
    try:
        return compute_sample_weight(class_weight, labels)
    except (ValueError, TypeError) as error:
        raise ParameterError(
            f"class_weight does not fit y: {error}\nGive a dict of labels to weights; where y has "
            "several columns, a list with a dict such as {0: 1.0, 1: 2.0} for each column."
        ) from None
