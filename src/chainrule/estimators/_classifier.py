"""The classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.metaestimators import available_if

from chainrule.catalogue import assumption_on_targets, cost_formula, domain_of_targets
from chainrule.estimators._base import Request, Targets
from chainrule.estimators._labels import (
    are_same,
    as_labels,
    classes_of,
    codes_of,
    given_classes,
    weighed,
)
from chainrule.estimators._meanings import meaning_of
from chainrule.estimators._predicting import Predicting
from chainrule.estimators._solvers import uses_epochs
from chainrule.formulas import ParameterError


class FeedforwardClassifier(Predicting):
    """A feedforward network for classification, with activations of your own.

    Two classes are told apart by one sigmoid unit and the binary cross-entropy, several by a
    softmax and the categorical cross-entropy; many labels at once (`y` of zeros and ones with a
    column for each label) by one sigmoid unit for each. Where `y` has several columns of classes,
    all share the hidden layers, and each has a softmax of its own, over the classes of its column;
    the cost is the sum over the columns. Columns of zeros and ones are many labels, unless `y` is
    an array of objects, or `partial_fit` is given the classes of each. Where columns differ in
    kind, scikit-learn's cross-validation needs a splitter, ``cv=KFold(5)``: it sorts all labels. Of
    one class alone nothing is learned: it is predicted, with probability 1.

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
        Training ends when the loss, or with `early_stopping` the validation score, has not
        improved by more than this for more than `n_iter_no_change` epochs.
    verbose : bool or int
        Whether to draw a progress bar in a terminal or notebook; from 2 on also to print lines
        where output goes elsewhere.
    warm_start : bool
        Whether `fit` goes on from the network of the last fit.
    momentum, nesterovs_momentum : float, bool
        The momentum of "sgd", and whether it is Nesterov's.
    early_stopping : bool
        Whether to keep a part of the data aside, stop when its score no longer improves, and
        return to the best network. With "lbfgs" the best network on `eval_set` is kept, if given.
    validation_fraction : float
        The share kept aside; every class gives the same share.
    beta_1, beta_2, epsilon : float
        Parameters of "adam", "adamw" and "muon"; "rmsprop" takes the last two.
    n_iter_no_change : int or inf
        See `tol`.
    max_fun : int
        At most so many evaluations of the cost by "lbfgs".
    class_weight : "balanced", dict, list of dict, or None
        Weights of the classes, multiplied with those of the examples; "balanced" gives every class
        the same weight in total. With many labels or several columns a list holds a dict for each,
        and an example's weights are multiplied.
    label_smoothing : float
        The share of each target, in [0, 1), that is spread evenly over the classes.
    dropout : float or list of float
        The share of the inputs of each hidden layer and of the output layer that every step drops;
        a list gives the share for the inputs of every layer, the network's inputs first.
    normalisation : {"layer", "batch"}, list of these or None
        What hidden layers normalise their pre-activations over, before scales and biases that are
        learned: the units of the layer, or the examples of the batch. A list names one for each
        hidden layer.
    learned_parameters : list of str or None
        The parameters of hidden activations that training learns, from the values that
        `activation_parameters` gives: ``["alpha"]`` makes ``"max(alpha*z, z)"`` a PReLU. What they
        became stands in ``network_.learned_activations``.
    clip_norm, clip_value : float
        Bounds of the gradient's length and of its entries; 0 for none.
    weight_decay : float
        The decay of the weights by "adamw" and "muon", apart from the gradient.
    standardise : bool
        Whether a new network is trained on inputs of mean 0 and variance 1, by the means and
        variances of the examples that `fit` gets. Afterwards the first layer's weights and biases
        take them in: the network, `coefs_` and `intercepts_` are of the inputs as they are given.
        `alpha` bounds the weights over standardised inputs.
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
        scikit-learn's unless its own makes clearly fewer errors on the other fifth, or
        as many at a much lower cost. Over sparse inputs of more than 1024 columns, as words are, it
        is scikit-learn's without trials, where that has all parameters.

    Attributes
    ----------
    classes_ : ndarray, or list of ndarray
        The labels, sorted; of several columns a list with those of each.
    network_ : Network
        The trained network.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer; assign a whole list to change them.
    loss_, loss_curve_ : float, list of float
        The mean cost over each epoch, penalty included, and the last of these. A warm start and
        `partial_fit` go on with the curve.
    validation_scores_, validation_losses_ : list of float or None
        The accuracy and the cost after each epoch on the part kept aside, or on the last set
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
        The number of layers with that of the inputs, the units of the output layer, and the output
        activation.
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_parameters = activation_parameters
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.normalisation = normalisation
        self.learned_parameters = learned_parameters
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.weight_decay = weight_decay
        self.standardise = standardise
        self.stopping_folds = stopping_folds
        self.recipe = recipe

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags

    @available_if(uses_epochs)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Any:
        """Train for one epoch on these examples, going on from what was learned before.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,), (n_samples, n_labels) or (n_samples, n_columns)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the examples.
        classes : array-like of shape (n_classes,), or list of these, optional
            All labels that any call may bring, for several columns a list with those of each;
            needed in the first call, unless `fit` came before.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            The solver is "lbfgs", which has no epochs.
        ParameterError
            A parameter is outside its range or needs all data at once: `early_stopping`,
            ``class_weight="balanced"``.
        ValueError
            The classes are missing in the first call, others than before, or lack a label of y.

        Examples
        --------
        >>> from chainrule.estimators import FeedforwardClassifier
        >>> classifier = FeedforwardClassifier(random_state=0)
        >>> classifier = classifier.partial_fit([[1.0], [2.0]], ["a", "b"], classes=["a", "b", "c"])
        >>> classifier.partial_fit([[3.0]], ["c"]).predict_proba([[3.0]]).shape
        (1, 3)
        """
        first = "classes_" not in vars(self)
        if first and classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels that any call "
                "may bring"
            )
        if classes is not None:
            given = given_classes(classes)
            if first:
                self.classes_ = given
            elif not are_same(given, self.classes_):
                raise ValueError(
                    f"`classes={classes!r:.100}` is not the same as on last call to partial_fit, "
                    f"was: {self.classes_!r:.100}"
                )
        try:
            return self._learn(X, y, sample_weight, Request(partial=True))
        except Exception:
            if first:
                del self.classes_
            raise

    def _prepare(self, y: Any, weights: NDArray[Any], *, goes_on: bool, partial: bool) -> Targets:
        known = "classes_" in vars(self) and (goes_on or partial)
        labels = as_labels(y, in_columns=known and isinstance(self.classes_, list))
        many = isinstance(labels, np.ndarray) and labels.ndim == 2
        if known and many != vars(self).get("_multilabel", many):
            raise ValueError("y holds many labels at once now and did not before, or the reverse")
        present = classes_of(labels)
        if not known:
            self.classes_ = present
        elif not (many or partial or are_same(present, self.classes_)):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {present}"
            )
        self._multilabel, self._sparse_labels = many, many and issparse(y)
        self._meaning = meaning_of(
            self.classes_, many=many, one_unit=not self._is_over_classes()
        )  # fmt: skip
        if many and self._is_over_classes():
            raise ParameterError(
                f"the cost {self.cost} chooses one class of several; y holds many labels\n"
                'Choose a cost of each label, such as "auto" or "binary_focal".'
            )
        codes = codes_of(labels, self.classes_)
        weights = weighed(self.class_weight, labels, weights, self.classes_, partial=partial)
        targets = self._meaning.encode(codes)
        if self.label_smoothing:
            targets = self._meaning.smoothed(targets, self.label_smoothing)
        strata = codes if codes.ndim == 1 else None
        return Targets(targets, weights, strata, self._meaning.blocks)

    def _encode(self, y: Any) -> NDArray[Any]:
        labels = as_labels(y, in_columns=isinstance(self.classes_, list))
        if (isinstance(labels, np.ndarray) and labels.ndim == 2) != self._multilabel:
            raise ValueError("one set holds many labels at once and another does not")
        return self._meaning.encode(codes_of(labels, self.classes_))

    def _is_over_classes(self) -> bool:
        """Tell whether the cost takes its outputs for the probabilities of all classes."""
        return self.cost != "auto" and bool(assumption_on_targets(cost_formula(self.cost)))

    def _output(self) -> tuple[str, Any]:
        if self.cost == "auto":
            return self._meaning.activation, self._meaning.cost
        cost = cost_formula(self.cost)
        if "values" in domain_of_targets(cost):
            raise ParameterError(
                f"the cost {cost.title} is made for targets of -1 and 1 and gives no "
                "probabilities\nTrain a FeedforwardRegressor on such targets, or choose "
                '"auto", "focal" or another cost of probabilities.'
            )
        return self._meaning.activation, cost

    def _rating(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> float:
        return float(np.average(self._meaning.are_right(outputs, targets), weights=weights))

    def _errors(self, outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
        return (~self._meaning.are_right(outputs, targets)).astype(np.float64)
