"""The regressor."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import column_or_1d

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.estimators._base import Feedforward


class FeedforwardRegressor(RegressorMixin, Feedforward):
    """A feedforward network for regression, with activations and a cost of your own.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The number of units of every hidden layer.
    activation : str, SymPy expression, Formula, or object with a formula; or a list of these
        The hidden activation: a name of the catalogue, or a formula in `z` as it stands in a
        paper. A list gives one for each hidden layer.
    activation_parameters : dict of str to float, or list of dict, optional
        Values of the formula's parameters, such as ``{"alpha": 0.2}``.
    output_activation : str, SymPy expression, Formula, or object with a formula
        The activation of the output layer; ``"exp(z)"`` gives positive predictions.
    cost : str, SymPy expression, Formula, or object with a formula
        The cost of one example, in the output `a` and the target `y`: a name of the catalogue, or
        a formula such as ``"sum(a - y*log(a))"``.
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
        The share kept aside.
    beta_1, beta_2, epsilon : float
        Parameters of "adam".
    n_iter_no_change : int
        See `tol`.

    Attributes
    ----------
    network_ : Network
        The trained network.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer.
    loss_curve_ : list of float
        The mean cost over each epoch, penalty included.
    validation_scores_ : list of float or None
        The coefficient of determination R² on the validation part after each epoch.
    best_loss_ : float or None
        The smallest loss; None with early stopping.
    n_iter_ : int
        The number of epochs.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As everywhere in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.estimators import FeedforwardRegressor
    >>> X = np.linspace(-2, 2, 200)[:, None]
    >>> regressor = FeedforwardRegressor(
    ...     (32,), activation="sin(z)", learning_rate_init=0.01, random_state=0
    ... )
    >>> bool(regressor.fit(X, np.sin(2 * X[:, 0])).score(X, np.sin(2 * X[:, 0])) > 0.95)
    True
    """

    _one_dimensional: bool

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        activation_parameters: Any = None,
        output_activation: Any = "identity",
        cost: Any = "half_squared_error",
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
        self.output_activation = output_activation
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

    def _prepare(
        self, y: NDArray[Any], weights: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._one_dimensional = y.ndim == 1
        return y.reshape(len(y), -1), None

    def _output(self) -> tuple[Any, Any]:
        return activation_formula(self.output_activation), cost_formula(self.cost)

    def _rating(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> float:
        return float(r2_score(targets, outputs, sample_weight=weights))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the network's output.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), as `y` had it
        """
        outputs = self._propagate(X)
        return outputs[:, 0] if self._one_dimensional else outputs
