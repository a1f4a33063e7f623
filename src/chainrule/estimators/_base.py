"""What the classifier and the regressor share."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from chainrule.estimators._parameters import (
    check_parameters,
    generator,
    hidden_formulas,
    hidden_sizes,
)
from chainrule.formulas import Formula
from chainrule.networks import (
    Adam,
    GradientDescent,
    Network,
    NetworkError,
    Optimiser,
    Training,
    network,
    propagate,
    train,
    validation_split,
)

if TYPE_CHECKING:
    from chainrule.networks._equations import Propagation

_AUTOMATIC_BATCH = 200


class Feedforward(BaseEstimator):
    """A feedforward network with scikit-learn's habits; subclasses say what targets mean."""

    hidden_layer_sizes: Any
    activation: Any
    activation_parameters: Any
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate_init: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: int

    network_: Network
    loss_curve_: list[float]
    n_iter_: int
    _penalty: float
    _is_weighted: bool

    def _prepare(self, y: NDArray[Any], weights: NDArray[Any]) -> tuple[NDArray[Any], Any]:
        """Learn what the targets are; return them as a matrix, and labels to stratify by."""
        raise NotImplementedError

    def _output(self) -> tuple[Any, Any]:
        """Return the output activation and the cost."""
        raise NotImplementedError

    def _rating(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> float:
        """Return the score of outputs against targets."""
        raise NotImplementedError

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Train a new network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs; standardise them, since the initial weights assume it. float32 and float64 stay
            what they are, other numbers become float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the examples; without mini-batches a weight of 2 is the same as giving the
            example twice.

        Returns
        -------
        self
        """
        check_parameters(type(self).__name__, self.get_params(deep=False))
        widths = hidden_sizes(self.hidden_layer_sizes)
        hidden = hidden_formulas(self.activation, self.activation_parameters, len(widths))
        rng = generator(self.random_state)
        inputs, given = validate_data(
            self, X, y, multi_output=True, dtype=(np.float64, np.float32), order="C",
            y_numeric=is_regressor(self),
        )  # fmt: skip
        weights = _checked_weights(sample_weight, inputs)
        targets, labels = self._prepare(given, weights)
        targets = np.ascontiguousarray(targets, inputs.dtype)
        output, cost = self._output()
        sizes = (inputs.shape[1], *widths, targets.shape[1])
        start = network(sizes, (*hidden, output), cost, dtype=inputs.dtype, rng=rng)
        result = self._train(start, inputs, targets, weights, labels, rng)
        self._keep(result)
        self._penalty, self._is_weighted = float(self.alpha), sample_weight is not None
        return self

    def _train(
        self,
        start: Network,
        X: NDArray[Any],
        targets: NDArray[Any],
        weights: NDArray[Any],
        labels: NDArray[Any] | None,
        rng: np.random.Generator,
    ) -> Training:
        score = None
        if self.early_stopping:
            rows, aside = validation_split(len(X), self.validation_fraction, rng, labels)
            if aside.size < 2 or not weights[aside].sum() > 0.0:
                raise NetworkError(
                    "fewer than two examples with weight were kept aside for validation\n"
                    "Raise validation_fraction, give more data, or set early_stopping=False."
                )
            held = X[aside], targets[aside], weights[aside]

            def score(trained: Network) -> float:
                return self._rating(propagate(trained, held[0]), held[1], held[2])

            X, targets, weights = X[rows], targets[rows], weights[rows]
        size = _AUTOMATIC_BATCH if self.batch_size == "auto" else int(self.batch_size)
        return train(
            start,
            X,
            targets,
            optimiser=self._optimiser(),
            sample_weight=weights,
            alpha=float(self.alpha),
            batch_size=size,
            epochs=int(self.max_iter),
            shuffle=bool(self.shuffle),
            rng=rng,
            tolerance=float(self.tol),
            patience=int(self.n_iter_no_change),
            score=score,
            show_progress=int(self.verbose),
        )

    def _optimiser(self) -> Optimiser:
        if self.solver == "adam":
            return Adam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return GradientDescent(self.learning_rate_init, self.momentum, self.nesterovs_momentum)

    def _keep(self, result: Training) -> None:
        self.network_ = result.network
        self.loss_curve_ = list(result.loss_curve)
        self.validation_scores_ = list(result.validation_scores) if self.early_stopping else None
        self.best_loss_ = min(result.loss_curve, default=None) if not self.early_stopping else None
        self.n_iter_ = len(result.loss_curve)
        if result.interrupted:
            warnings.warn(
                f"training was interrupted after {self.n_iter_} epochs; the estimator is as good "
                "as it was then",
                stacklevel=3,
            )
        elif not result.converged:
            watched = "validation score" if self.early_stopping else "loss"
            warnings.warn(
                f"training ended after max_iter={self.max_iter} epochs while the {watched} still "
                "improved; raise max_iter, or tol to be content with less",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _propagate(self, X: ArrayLike, output: Formula | None = None) -> NDArray[Any]:
        """Return the network's output, or what another output activation makes of it."""
        check_is_fitted(self)
        inputs = validate_data(self, X, reset=False, dtype=(np.float64, np.float32), order="C")
        used = self.network_
        if output is not None:
            used = Network(used.sizes, (*used.activations[:-1], output), used.cost, used.parameters)
        return propagate(used, inputs)

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weights of each layer, (inputs, outputs)."""
        return list(self._fitted("coefs_").weights)

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The biases of each layer."""
        return list(self._fitted("intercepts_").biases)

    def propagation(self, *, batch: int | None = None, axis: int = -1) -> Propagation:
        """Derive the equations of the fitted network, forward and backward, with its shapes.

        The penalty `alpha` on the weights is a part of the cost and of the equations of ∂J/∂W[l],
        where it is called lambda; at 0 it is left out. It is the one that `fit` used, and so are
        the weights s of the examples, where it was given any.

        Parameters
        ----------
        batch : int, optional
            The number of examples; None leaves it `m`.
        axis : {-1, 0}
            The axis of the units: -1 where rows are examples, as the program stores them, 0 where
            columns are.

        Returns
        -------
        Propagation
            The equations, with `to_text`, `to_latex` and `to_html`.

        Raises
        ------
        AttributeError
            The estimator is not fitted.
        NetworkError
            The batch is no positive whole number, or the axis is another.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardRegressor
        >>> X = [[0.0], [1.0], [2.0], [3.0]]
        >>> regressor = FeedforwardRegressor((3,), "tanh", tol=10.0, random_state=0)
        >>> shown = regressor.fit(X, [0.0, 1.0, 2.0, 3.0]).propagation(batch=4)
        >>> print(shown.title)
        Network 1-3-1: half_squared_error behind identity
        >>> "∂J/∂W[2] = A[1]ᵀ ∂J/∂Z[2] + lambda·W[2]/m    3×1" in shown.to_text()
        True
        """
        fitted = self._fitted("propagation")
        return fitted.propagation(
            batch=batch, axis=axis, penalty=self._penalty, weighted=self._is_weighted
        )

    def _fitted(self, attribute: str) -> Network:
        if "network_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no {attribute} before it is fitted; call fit first"
            )
        return self.network_

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a file that `load` reads; it holds data only."""
        from chainrule.estimators._persistence import save_estimator

        check_is_fitted(self)
        save_estimator(self, path)


def _checked_weights(sample_weight: ArrayLike | None, X: NDArray[Any]) -> NDArray[Any]:
    if sample_weight is None:
        return np.ones(len(X), X.dtype)
    weights: NDArray[Any] = check_array(
        sample_weight, ensure_2d=False, dtype=X.dtype, copy=True, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    if weights.shape != (len(X),):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(len(X),)}!")
    if (weights < 0.0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.sum() > 0.0:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
