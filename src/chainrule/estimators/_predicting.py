"""What a classifier predicts: labels, probabilities, their slopes, and how often it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from chainrule.estimators._base import Feedforward
from chainrule.estimators._labels import Labels, columns_of, labels_of
from chainrule.estimators._meanings import Meaning


class Predicting(ClassifierMixin, Feedforward):
    """The predictions of a network whose outputs stand for labels; the classifier learns it."""

    classes_: Labels
    _meaning: Meaning
    _multilabel: bool
    _sparse_labels: bool

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of examples whose labels are all right.

        Of one column of classes it is the accuracy; with many labels, or several columns, every
        label of an example must be right, as in scikit-learn's ``MultiOutputClassifier``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the examples.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            Predictions and labels are of different shapes.
        """
        if not isinstance(vars(self).get("classes_"), list):
            return float(super().score(X, y, sample_weight))
        predicted, true = self.predict(X), columns_of(y)
        if predicted.shape != true.shape:
            raise ValueError(
                f"y must have shape {predicted.shape}, one column for each of {len(self.classes_)} "
                f"classes; got {true.shape}"
            )
        right = (predicted == true).all(axis=1)
        return float(accuracy_score(np.ones_like(right), right, sample_weight=sample_weight))

    def predict(self, X: ArrayLike) -> Any:
        """Return the most probable label of each example.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_labels) for many labels and several columns;
        a CSR matrix where `fit` was given a sparse one. Columns of different kinds, such as text
        and numbers, come as objects.
        """
        outputs = self._propagate(X)
        codes = self._meaning.decode(outputs)
        if self._multilabel:
            return csr_matrix(codes) if self._sparse_labels else codes
        return labels_of(codes, self.classes_)

    def predict_proba(self, X: ArrayLike) -> Any:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            For several columns of classes a list of these, one for each column.
        """
        outputs = self._propagate(X)
        return self._meaning.probabilities(outputs)

    def predict_log_proba(self, X: ArrayLike) -> Any:
        """Return the logarithms of the probabilities.

        They are computed from the pre-activations, so they stay finite where a probability is too
        small for a number.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            For several columns of classes a list of these, one for each column.
        """
        Z = self._propagate(X, activate=False)
        return self._meaning.log_probabilities(Z)

    def input_gradients(self, X: ArrayLike) -> Any:
        """Return the derivative of every probability by every input.

        Computed by the backward kernels that training uses, one output after another.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes, n_features)
            At [i, k, j] the derivative of ``predict_proba(X)[i, k]`` by ``X[i, j]``. For several
            columns of classes a list of these, one for each column.

        Raises
        ------
        NotFittedError
            The estimator is not fitted.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardClassifier
        >>> classifier = FeedforwardClassifier(tol=10.0, random_state=0)
        >>> slopes = classifier.fit([[-1.0], [1.0]], ["a", "b"]).input_gradients([[0.0]])
        >>> slopes.shape, float(slopes.sum())
        ((1, 2, 1), 0.0)
        """
        slopes = self._input_gradients(X)
        return self._meaning.slopes(slopes)
