"""The classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from chainrule.catalogue import (
    activation_formula,
    assumption_on_targets,
    cost_formula,
    domain_of_targets,
)
from chainrule.estimators._base import Feedforward
from chainrule.formulas import ParameterError


class FeedforwardClassifier(ClassifierMixin, Feedforward):
    """A feedforward network for classification, with activations of your own.

    Two classes are told apart by one sigmoid unit and the binary cross-entropy, several by a
    softmax and the categorical cross-entropy; many labels at once (`y` of zeros and ones with a
    column for each label) by one sigmoid unit for each.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The number of units of every hidden layer.
    activation : str, SymPy expression, Formula, or object with a formula; or a list of these
        The hidden activation: a name of the catalogue, or a formula in `z` as it stands in a
        paper. A list gives one for each hidden layer.
    activation_parameters : dict of str to float, or list of dict, optional
        Values of the formula's parameters, such as ``{"alpha": 0.2}``.
    cost : "auto", str, SymPy expression, Formula, or object with a formula
        The cost of one example, in the probabilities `a` and the targets `y` of zeros and ones;
        "auto" is the cross-entropy. A named cost over classes, such as "focal", has a softmax
        unit for each class, also where there are two.
    solver : {"adam", "sgd"}
        The optimiser.
    alpha : float
        Strength of the penalty on the weights, ``alpha/(2 m) ||W||²`` for a batch of `m`.
    batch_size : int or "auto"
        Examples in a mini-batch; "auto" is 200, or all where there are fewer.
    learning_rate_init : float
        The optimiser's learning rate.
    max_iter : int
        At most so many epochs.
    shuffle : bool
        Whether every epoch takes the examples in a new order.
    random_state : int, Generator, RandomState or None
        Where initial weights, the order and the validation part come from. The same number gives
        the same network, bit for bit.
    tol : float
        Training ends when the loss, or with `early_stopping` the validation score, has not
        improved by more than this for more than `n_iter_no_change` epochs.
    verbose : bool
        Whether to draw a progress bar in a terminal or notebook.
    momentum, nesterovs_momentum : float, bool
        The momentum of "sgd", and whether it is Nesterov's.
    early_stopping : bool
        Whether to keep a part of the data aside, stop when its score no longer improves, and
        return to the best network.
    validation_fraction : float
        The share kept aside; every class gives the same share.
    beta_1, beta_2, epsilon : float
        Parameters of "adam".
    n_iter_no_change : int
        See `tol`.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted.
    network_ : Network
        The trained network.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer.
    loss_curve_ : list of float
        The mean cost over each epoch, penalty included.
    validation_scores_ : list of float or None
        The accuracy on the validation part after each epoch.
    best_loss_ : float or None
        The smallest loss; None with early stopping.
    n_iter_ : int
        The number of epochs.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As everywhere in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from chainrule.estimators import FeedforwardClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> classifier = FeedforwardClassifier(
    ...     (16,), activation="z/(1 + exp(-beta*z))", activation_parameters={"beta": 1.702},
    ...     learning_rate_init=0.05, random_state=0,
    ... )
    >>> bool(classifier.fit(X, y).score(X, y) > 0.95)
    True
    """

    classes_: NDArray[Any]
    _multilabel: bool

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        activation_parameters: Any = None,
        cost: Any = "auto",
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_parameters = activation_parameters
        self.cost = cost
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _prepare(
        self, y: NDArray[Any], weights: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns with more than two classes; give one column of labels, or "
                "zeros and ones with a column for each label"
            )
        if kind == "multilabel-indicator":
            y = y.toarray() if hasattr(y, "toarray") else y
            self.classes_ = np.arange(y.shape[1])
            self._multilabel = True
            if self._is_over_classes():
                raise ParameterError(
                    f"the cost {self.cost} chooses one class of several; y holds many labels\n"
                    'Choose a cost of each label, such as "auto" or "binary_focal".'
                )
            return y, None
        if y.ndim == 2:
            y = column_or_1d(y, warn=True)
        self._multilabel = False
        self.classes_, codes = np.unique(y, return_inverse=True)
        present = np.unique(codes[weights > 0.0])
        if len(present) < 2:
            raise ValueError(
                "a classifier needs at least two classes; y holds one class with weight, "
                f"{self.classes_[present[0]]}"
            )
        if len(self.classes_) == 2 and not self._is_over_classes():
            return codes[:, None], codes
        return codes[:, None] == np.arange(len(self.classes_)), codes

    def _is_over_classes(self) -> bool:
        """Tell whether the cost takes its outputs for the probabilities of all classes."""
        return self.cost != "auto" and bool(assumption_on_targets(cost_formula(self.cost)))

    def _output(self) -> tuple[str, Any]:
        one_by_one = self._multilabel or (len(self.classes_) == 2 and not self._is_over_classes())
        if self.cost == "auto":
            costs = ("binary_cross_entropy", "categorical_cross_entropy")
            return ("sigmoid", costs[0]) if one_by_one else ("softmax", costs[1])
        cost = cost_formula(self.cost)
        if "values" in domain_of_targets(cost):
            raise ParameterError(
                f"the cost {cost.title} is made for targets of -1 and 1 and gives no "
                "probabilities\nTrain a FeedforwardRegressor on such targets, or choose "
                '"auto", "focal" or another cost of probabilities.'
            )
        return "sigmoid" if one_by_one else "softmax", cost

    def _decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return labels, as numbers: one for each example, or a row of zeros and ones."""
        if self._multilabel:
            return (outputs > 0.5).astype(np.intp)
        if outputs.shape[1] == 1:
            return (outputs[:, 0] > 0.5).astype(np.intp)
        labels: NDArray[Any] = outputs.argmax(axis=1)
        return labels

    def _rating(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> float:
        right = self._decode(outputs) == self._decode(targets)
        return float(np.average(right.all(axis=1) if self._multilabel else right, weights=weights))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each example.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_labels) for many labels
        """
        decoded = self._decode(self._propagate(X))
        labels: NDArray[Any] = decoded if self._multilabel else self.classes_[decoded]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        outputs = self._propagate(X)
        if self._multilabel or outputs.shape[1] > 1:
            return outputs
        return np.hstack([1.0 - outputs, outputs])

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the logarithms of the probabilities.

        They are computed from the pre-activations, so they stay finite where a probability is too
        small for a number.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        if self.network_.sizes[-1] > 1 and not self._multilabel:
            return self._propagate(X, activation_formula("log_softmax"))
        of_one = self._propagate(X, activation_formula("log_sigmoid"))
        if self._multilabel:
            return of_one
        return np.hstack([self._propagate(X, activation_formula("-log(1 + exp(z))")), of_one])
