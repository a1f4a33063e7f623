"""The regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.estimators._base import Feedforward, Request, Targets
from chainrule.estimators._solvers import uses_epochs

# Output activation and cost of scikit-learn's losses.
_LOSSES = {
    "squared_error": ("identity", "half_squared_error"),
    "poisson": ("exponential", "poisson"),
}


class FeedforwardRegressor(RegressorMixin, Feedforward):
    """A feedforward network for regression, with activations and a cost of your own.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        scikit-learn's names of two costs with their output activations: half the squared error
        behind the identity, the Poisson cost behind the exponential. `cost` and
        `output_activation` replace their part of it.
    hidden_layer_sizes : int or sequence of int
        The number of units of every hidden layer.
    activation : str, SymPy expression, Formula, or object with a formula; or a list of these
        The hidden activation: a name of the catalogue, or a formula in `z` as it stands in a
        paper. A list gives one for each hidden layer.
    activation_parameters : dict of str to float, or list of dict, optional
        Values of the formula's parameters, such as ``{"alpha": 0.2}``.
    output_activation : str, SymPy expression, Formula, or object with a formula
        The activation of the output layer; ``"exp(z)"`` gives positive predictions, ``"sigmoid"``
        predictions between 0 and 1. "auto" is what `loss` says.
    cost : str, SymPy expression, Formula, or object with a formula
        The cost of one example, in the output `a` and the target `y`: a name of the catalogue, or
        a formula such as ``"sum(a - y*log(a))"``. "auto" is what `loss` says.
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop", "muon"}
        The optimiser; "lbfgs" takes all examples at once, for small data.
    alpha : float
        Strength of the penalty on the weights, ``alpha/(2 m) ||W||²`` for a batch of `m`.
    batch_size : int or "auto"
        Examples in a mini-batch; "auto" is a thirtieth of them, at least 25, or 500 times the rate
        of "sgd", and at most 200; all of fewer than 40; and 200 with scikit-learn's recipe, or
        where weights were assigned before the first `fit`.
    learning_rate : str, Schedule
        How the learning rate goes on. "constant" keeps it; with "sgd" alone, as in scikit-learn,
        "invscaling" lets it fall with the examples seen (`power_t`) and "adaptive" divides it by 5
        each time that nothing improves; with "sgd" and all kinds of "adam", "cosine", "one_cycle",
        "warm_up", or a schedule of `chainrule.networks` such as ``Cosine(epochs=50)``.
    learning_rate_init : float
        The optimiser's learning rate.
    power_t : float
        The exponent of "invscaling".
    max_iter : int
        At most so many epochs.
    shuffle : bool
        Whether every epoch takes the examples in a new order.
    random_state : int, Generator, RandomState or None
        Where initial weights, the order and the validation part come from. The same number gives
        the same network, bit for bit.
    tol : float
        Training ends when the loss, or with `early_stopping` what that looks at, has not
        improved by more than this for more than `n_iter_no_change` epochs.
    verbose : bool or int
        Whether to draw a progress bar in a terminal or notebook; from 2 on also to print lines
        where output goes elsewhere.
    warm_start : bool
        Whether `fit` goes on from the network of the last fit.
    momentum, nesterovs_momentum : float, bool
        The momentum of "sgd", and whether it is Nesterov's.
    early_stopping : bool
        Whether to keep a part of the data aside, stop when its score no longer improves, or its
        cost where `cost` says which, and return to the best network. With "lbfgs" the best
        network on `eval_set` is kept, if given.
    validation_fraction : float
        The share kept aside.
    beta_1, beta_2, epsilon : float
        Parameters of "adam", "adamw" and "muon"; "rmsprop" takes the last two.
    n_iter_no_change : int or inf
        See `tol`.
    max_fun : int
        At most so many evaluations of the cost by "lbfgs".
    dropout : float or list of float
        The share of the inputs of each hidden layer and of the output layer that every step drops;
        a list gives the share for the inputs of every layer, the network's inputs first.
    normalisation : {"layer", "batch"}, list of these or None
        What hidden layers normalise their pre-activations over, before scales and biases that are
        learned: the units of the layer, or the examples of the batch. A list names one for each
        hidden layer.
    learned_parameters : list of str or None
        The parameters of activations that training learns, from the values that
        `activation_parameters` gives, or the formula that is the `output_activation`:
        ``["alpha"]`` makes ``"max(alpha*z, z)"`` a PReLU. What they became stands in
        ``network_.learned_activations``.
    clip_norm, clip_value : float
        Bounds of the gradient's length and of its entries; 0 for none.
    weight_decay : float
        The decay of the weights by "adamw" and "muon", apart from the gradient.
    standardise : bool
        Whether a new network is trained on inputs of mean 0 and variance 1, by the means and
        variances of the examples that `fit` gets, and on targets of mean 0 and of variance 1 over
        all outputs together where the cost is one of differences behind the identity; it stays the
        cost of targets as they are given, also where it has a scale of its own, as Huber's.
        Afterwards the first and the last layer's weights and biases take them in: the network,
        `coefs_` and `intercepts_` are of inputs and targets as they are given, and so are losses.
        `alpha` and `tol` count in the cost of the standardised network.
        `partial_fit` and a warm start go on as the first call did: `fit`, or a first `partial_fit`
        of ten examples or more. Otherwise, and where weights were assigned first, nothing is
        standardised.
    stopping_folds : "auto" or int
        How many times `fit` trains a new network on four fifths of the examples first, to learn
        after how many epochs the mean cost of the other fifth is the least; it then trains on all
        examples for as many. "auto" is 3 for 40 to 10,000 examples (2 from 2500 on, 1 from 5000 on)
        and a constant learning rate of a solver other than "sgd" and "lbfgs", and 0 elsewhere, also
        where ``tol=0``, `n_iter_no_change`, `early_stopping` or a `max_iter` below 100 say when to
        stop. Where the first one leaves no doubt which recipe is better, there are no others.

    recipe : {"auto", "own", "scikit-learn"}
        How a new network is trained. "own" starts from weights scaled for the activation, takes the
        batches that `batch_size` tells, and standardises. "scikit-learn" starts from the weights
        and takes the batches of scikit-learn's networks, on inputs as they are: with a number as
        `random_state`, and without `early_stopping`, it trains the same network. "auto" is "own",
        but where `stopping_folds` count epochs and scikit-learn has the activation and all other
        parameters, it trains by both recipes on four fifths of the examples, and takes
        scikit-learn's unless its own is clearly closer on the other fifth.

    Attributes
    ----------
    network_ : Network
        The trained network.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer; assign a whole list to change them.
    loss_, loss_curve_ : float, list of float
        The mean cost over each epoch, penalty included, and the last of these. A warm start and
        `partial_fit` go on with the curve.
    validation_scores_, validation_losses_ : list of float or None
        R² and the cost after each epoch on the part kept aside, or on the last set
        of `eval_set`.
    evals_result_ : dict
        The curves "loss" and "score" of each set of `eval_set`, named validation_0 and so on.
    best_loss_, best_validation_score_ : float or None
        The smallest loss, None with early stopping; the highest score, None without validation.
    best_epoch_ : int or None
        The epoch of the network that was kept.
    n_iter_, t_ : int
        The number of epochs of the last fit, and of examples seen in all.
    recipe_ : str
        By which recipe the network was trained, "own" or "scikit-learn".
    n_layers_, n_outputs_, out_activation_ : int, int, str
        The number of layers with that of the inputs, the outputs, and the output activation.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As everywhere in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.estimators import FeedforwardRegressor
    >>> X = np.linspace(-2, 2, 200)[:, None]
    >>> regressor = FeedforwardRegressor(
    ...     hidden_layer_sizes=(32,), activation="sin(z)", learning_rate_init=0.01, random_state=0
    ... )
    >>> bool(regressor.fit(X, np.sin(2 * X[:, 0])).score(X, np.sin(2 * X[:, 0])) > 0.95)
    True
    """

    _one_dimensional: bool

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        activation_parameters: Any = None,
        output_activation: Any = "auto",
        cost: Any = "auto",
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 1e-3,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        normalisation: Any = None,
        learned_parameters: Any = None,
        clip_norm: float = 0.0,
        clip_value: float = 0.0,
        weight_decay: float = 0.01,
        standardise: bool = True,
        stopping_folds: int | str = "auto",
        recipe: str = "auto",
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_parameters = activation_parameters
        self.output_activation = output_activation
        self.cost = cost
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.normalisation = normalisation
        self.learned_parameters = learned_parameters
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.weight_decay = weight_decay
        self.standardise = standardise
        self.stopping_folds = stopping_folds
        self.recipe = recipe

    @available_if(uses_epochs)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Train for one epoch on these examples, going on from what was learned before.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the examples.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            The solver is "lbfgs", which has no epochs.
        ParameterError
            A parameter is outside its range, or `early_stopping` is True.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardRegressor
        >>> regressor = FeedforwardRegressor(random_state=0)
        >>> for _ in range(3):
        ...     regressor = regressor.partial_fit([[0.0], [1.0]], [0.0, 1.0])
        >>> regressor.t_, len(regressor.loss_curve_)
        (6, 3)
        """
        return self._learn(X, y, sample_weight, Request(partial=True))

    def _prepare(self, y: Any, weights: NDArray[Any], *, goes_on: bool, partial: bool) -> Targets:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._one_dimensional = y.ndim == 1
        return Targets(self._encode(y), weights)

    def _encode(self, y: Any) -> NDArray[Any]:
        targets: NDArray[Any] = np.asarray(y).reshape(len(y), -1)
        return targets

    def _output(self) -> tuple[Any, Any]:
        output, cost = _LOSSES[self.loss]
        chosen = output if _is_automatic(self.output_activation) else self.output_activation
        return (
            activation_formula(chosen),
            cost_formula(cost if _is_automatic(self.cost) else self.cost),
        )

    @property
    def _stops_by_cost(self) -> bool:
        # R² would take a quantile for the better the closer it is to the mean.
        return not _is_automatic(self.cost)

    def _rating(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> float:
        return float(r2_score(targets, outputs, sample_weight=weights))

    def _errors(self, outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
        errors: NDArray[np.float64] = np.square(np.float64(outputs) - targets).sum(axis=1)
        return errors

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the network's output.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), as `y` had it
        """
        outputs = self._propagate(X)
        return outputs[:, 0] if self._one_dimensional else outputs

    def input_gradients(self, X: ArrayLike) -> NDArray[Any]:
        """Return the derivative of every output by every input.

        Computed by the backward kernels that training uses, one output after another.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, n_outputs, n_features)
            At [i, k, j] the derivative of ``predict(X)[i, k]`` by ``X[i, j]``; without k where `y`
            had one dimension.

        Raises
        ------
        NotFittedError
            The estimator is not fitted.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardRegressor
        >>> X = [[0.0], [1.0], [2.0]]
        >>> regressor = FeedforwardRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0)
        >>> regressor.fit(X, [1.0, 3.0, 5.0]).input_gradients([[0.5]]).round(3)
        array([[2.]])
        """
        slopes = self._input_gradients(X)
        return slopes[:, 0] if self._one_dimensional else slopes


def _is_automatic(given: Any) -> bool:
    return isinstance(given, str) and given == "auto"
