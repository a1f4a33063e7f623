"""What a fitted estimator can tell and make of its network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from chainrule.estimators import _inspection
from chainrule.estimators._data import checked
from chainrule.estimators._start import assigned
from chainrule.networks import (
    Network,
    NetworkStatistics,
    layer_statistics,
    plot_learning_curve,
)
from chainrule.networks.training._sparse import dense_blocks, propagated_blocks

if TYPE_CHECKING:
    from chainrule.networks.on_paper._equations import Propagation


class Fitted(BaseEstimator):
    """An estimator around a network; subclasses train it."""

    network_: Network
    _penalty: float
    _is_weighted: bool

    def _encode(self, y: Any) -> NDArray[Any]:
        """Return further targets as a matrix, of the kind that was learned."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return "network_" in vars(self)

    def _propagate(self, X: Any, *, activate: bool = True) -> NDArray[Any]:
        """Return the network's output, or the pre-activations of the output layer."""
        used = self._fitted_network()
        inputs = checked(self, X)
        if isinstance(inputs, np.ndarray) and inputs.dtype == used.dtype:
            return used(inputs) if activate else used.pre_activations(inputs)
        used, parts = propagated_blocks(used, inputs)
        return np.concatenate(
            [used(part) if activate else used.pre_activations(part) for part in parts]
        )

    def hidden_activations(self, X: ArrayLike, layer: int | None = None) -> NDArray[Any]:
        """Return what the units of a hidden layer make of each example.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        layer : int, optional
            The hidden layer, from 1 on: its activations are A[layer] in `propagation`. The last
            one by default.

        Returns
        -------
        ndarray of shape (n_samples, n_units), float32 or float64 as the network

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        ParameterError
            There is no such hidden layer.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardRegressor
        >>> regressor = FeedforwardRegressor(hidden_layer_sizes=(3,), tol=10.0, random_state=0)
        >>> regressor.fit([[0.0], [1.0]], [0.0, 1.0]).hidden_activations([[0.5]]).shape
        (1, 3)
        """
        used = self._fitted_network()
        number = _inspection.hidden_layer(used, layer)
        parts = _inspection.hidden_activations(used, checked(self, X), number)
        return np.concatenate(list(parts))

    def layer_statistics(self, X: ArrayLike, y: ArrayLike | None = None) -> NetworkStatistics:
        """Look at what every layer does to examples: dead and saturated units, sizes, gradients.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like, optional
            Targets; with them, the sizes of the gradients are told too.

        Returns
        -------
        NetworkStatistics
            Prints itself as a table; `plot` draws it.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardRegressor
        >>> regressor = FeedforwardRegressor(hidden_layer_sizes=(3,), tol=10.0, random_state=0)
        >>> regressor = regressor.fit([[0.0], [1.0]], [0.0, 1.0])
        >>> len(regressor.layer_statistics([[0.5], [1.0]]).layers)
        2
        """
        used = self._fitted_network()
        targets = None if y is None else self._encode(y)
        return layer_statistics(used, checked(self, X), targets)

    def plot_learning_curve(self, figure: Any = None) -> Any:
        """Draw the loss over the epochs, on the examples and on a validation set, and the score.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            Where to draw; by default a new figure of pyplot, which notebooks show.

        Returns
        -------
        matplotlib.figure.Figure
        """
        self._fitted_network()
        fitted: Any = self
        held = fitted.validation_losses_
        losses = {"validation": held} if held else None
        return plot_learning_curve(
            fitted.loss_curve_, fitted.validation_scores_, losses, figure=figure
        )

    def _input_gradients(self, X: Any) -> NDArray[Any]:
        used = self._fitted_network()
        return np.concatenate(
            [_inspection.input_gradients(used, block) for block in dense_blocks(checked(self, X))]
        )

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weights of each layer, (inputs, outputs); assign a whole list to change them."""
        if "network_" in vars(self):
            return list(self.network_.weights)
        return self._given("coefs_")

    @coefs_.setter
    def coefs_(self, weights: list[NDArray[Any]]) -> None:
        if "network_" in vars(self):
            self.network_ = assigned(self.network_, weights, self.network_.biases)
        else:
            self._given_coefs = weights

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The biases of each layer; assign a whole list to change them."""
        if "network_" in vars(self):
            return list(self.network_.biases)
        return self._given("intercepts_")

    @intercepts_.setter
    def intercepts_(self, biases: list[NDArray[Any]]) -> None:
        if "network_" in vars(self):
            self.network_ = assigned(self.network_, self.network_.weights, biases)
        else:
            self._given_intercepts = biases

    def _given(self, attribute: str) -> list[NDArray[Any]]:
        given: list[NDArray[Any]] | None = vars(self).get(f"_given_{attribute[:-1]}")
        if given is None:
            raise self._unfitted(attribute)
        return given

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
        >>> regressor = FeedforwardRegressor(
        ...     hidden_layer_sizes=(3,), activation="tanh", tol=10.0, random_state=0
        ... )
        >>> shown = regressor.fit(X, [0.0, 1.0, 2.0, 3.0]).propagation(batch=4)
        >>> print(shown.title)
        Network 1-3-1: half_squared_error behind identity
        >>> "∂J/∂W[2] = A[1]ᵀ ∂J/∂Z[2] + lambda·W[2]/m    3×1" in shown.to_text()
        True
        """
        if "network_" not in vars(self):
            raise self._unfitted("propagation")
        return self.network_.propagation(
            batch=batch, axis=axis, penalty=self._penalty, weighted=self._is_weighted
        )

    def _unfitted(self, attribute: str) -> AttributeError:
        return AttributeError(
            f"{type(self).__name__} has no {attribute} before it is fitted; call fit first"
        )

    def _fitted_network(self) -> Network:
        if "network_" not in vars(self):
            check_is_fitted(self)
        return self.network_

    def save(self, path: str | os.PathLike[str], *, training: bool = True) -> None:
        """Write the fitted estimator to a file that `load` reads; it holds data only.

        The loaded estimator predicts, and goes on with `partial_fit` or a warm start, as this one
        does, bit for bit.

        Parameters
        ----------
        path : path-like
            Where to; an existing file is replaced.
        training : bool
            Whether the file holds what `partial_fit` goes on with, the optimiser's memory and the
            state of the random numbers: two to three times what the network needs. Without it
            `partial_fit` of the loaded estimator begins with a new optimiser.

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        TypeError
            Labels are neither numbers nor truth values nor text.
        UnwritableFileError
            The disk is full, the path is none of a file, or its folder is missing or closed to us.
        """
        from chainrule.estimators._persistence import save_estimator

        check_is_fitted(self)
        save_estimator(self, path, training=bool(training))
