"""How a new network is trained: in the way of this package, or in scikit-learn's."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from chainrule.catalogue import activation_formula
from chainrule.estimators._evaluation import Evaluation
from chainrule.estimators._start import assigned
from chainrule.estimators._trials import is_better, trials
from chainrule.formulas import Formula
from chainrule.networks import Network, Standardisation, Training, standardisation
from chainrule.networks.training._constants import is_free_of_scale, with_best_constant
from chainrule.networks.training._sparse import WIDE, is_sparse

OWN, SCIKIT_LEARN = "own", "scikit-learn"

_SMALLEST_BATCH, _LARGEST_BATCH = 25, 200
_STEPS = 30  # that an epoch has at least, as far as the smallest batch allows
_EXAMPLES_PER_RATE = 500.0  # in a batch, for each unit of the rate: 25 at 0.05
_FOLDS, _IN_FOLDS = 3, 5000  # at most so many, and of so many examples in all
_LONG = 100  # epochs: who allows fewer has chosen how long to train
_FEWEST, _MOST = 40, 10_000  # examples on which epochs are counted; fewer are one batch
_ENOUGH = 10  # examples of a first partial_fit that tell the scale of those to come
# The activations there, with the factors of the bounds of their weights.
_ACTIVATIONS = {"identity": 6.0, "relu": 6.0, "tanh": 6.0, "sigmoid": 2.0}
_UNKNOWN_THERE = (
    "activation_parameters", "output_activation", "cost", "class_weight", "label_smoothing",
    "dropout", "normalisation", "learned_parameters", "clip_norm", "clip_value",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Recipe:
    """Where training begins, over which examples, in which batches and for how many epochs.

    `start` is over inputs and targets as they are given, also where training standardises them.
    `ended` is the best training so far where an interrupt came before the recipe was chosen.
    """

    name: str
    start: Network
    generator: np.random.Generator
    standardisation: Standardisation | None
    batch_size: int
    epochs: int
    ended: Training | None = None


def is_as_there(
    estimator: Any, hidden: tuple[Formula, ...], blocks: tuple[int, ...], X: Any
) -> bool:
    """Tell whether a new network is trained in scikit-learn's way without a trial.

    Classifiers are over wide sparse inputs, as words are, of which most are almost always 0:
    divided by their deviation the rarest count most, and trials with small batches take many times
    as long. Regressors need their targets standardised all the same.
    """
    if (
        estimator.recipe == "auto"
        and is_sparse(X)
        and X.shape[1] > WIDE
        and is_classifier(estimator)
    ):
        return _is_known_there(estimator, hidden, blocks)
    return bool(estimator.recipe == SCIKIT_LEARN)


def seeded(random_state: Any, generator: np.random.Generator) -> np.random.Generator:
    """Return a generator of the bits that scikit-learn draws for a seed; for others the given."""
    if not isinstance(random_state, int | np.integer):
        return generator
    bits = np.random.MT19937()
    state: Any = np.random.RandomState(int(random_state)).get_state(legacy=False)
    bits.state = state
    return np.random.Generator(bits)


def drawn(network: Network, generator: np.random.Generator) -> Network:
    r"""Return a network with the parameters from which scikit-learn's networks start.

    .. math:: w, b \sim U(-r, r), \qquad r = \sqrt{6/(n^{[l-1]} + n^{[l]})}

    for every layer [1]_, and a third of that variance behind sigmoids.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
       networks", AISTATS 2010, equation 16.
    """
    factors = {_ACTIVATIONS.get(formula.title, 6.0) for formula in network.activations[:-1]}
    weights, biases = [], []
    # A Generator draws uniform numbers as a RandomState does.
    for count, width in pairwise(network.sizes):
        reach = np.sqrt(min(factors, default=6.0) / (count + width))
        weights.append(generator.uniform(-reach, reach, (count, width)))
        biases.append(generator.uniform(-reach, reach, width))
    return assigned(network, weights, biases)


def going_on(estimator: Any, start: Network, count: int, *, partial: bool) -> Recipe:
    """Return how training goes on from a network that is not new."""
    given: Standardisation | None = vars(estimator).get("_standardisation")
    by_hand = "network_" not in vars(estimator)
    name = vars(estimator).get("recipe_", SCIKIT_LEARN if by_hand else OWN)
    return Recipe(
        name, start, estimator._generator, None if given is None else given.suited(start),
        _batch_size(estimator, count, name), 1 if partial else int(estimator.max_iter),
    )  # fmt: skip


def new_recipe(
    estimator: Any,
    start: Network,
    held: Evaluation,
    strata: NDArray[Any] | None,
    fresh: np.random.Generator,
    options: dict[str, Any],
    *,
    as_there: bool,
    partial: bool,
) -> Recipe:
    """Return how a new network is trained.

    Parameters
    ----------
    estimator : Feedforward
    start : Network
        With the parameters that the recipe asks for; with our own where it is open.
    held : Evaluation
        The examples.
    strata : ndarray or None
        Classes of the examples.
    fresh : numpy.random.Generator
        The estimator's generator as it was before anything was drawn.
    options : dict
        Further arguments of `train`, the same in every recipe.
    as_there : bool
        Whether scikit-learn's way is chosen, and the start drawn so.
    partial : bool
        Whether the examples are only the first of those to come.
    """
    epochs, count = 1 if partial else int(estimator.max_iter), len(held.weights)

    def recipe(
        name: str, start: Network, generator: np.random.Generator, given: Standardisation | None
    ) -> Recipe:
        size = _batch_size(estimator, count, name)
        return Recipe(name, start, generator, given, size, epochs)

    if as_there:
        return recipe(SCIKIT_LEARN, start, estimator._generator, None)
    if not is_classifier(estimator) and is_free_of_scale(start):
        start = with_best_constant(start, held.targets, held.weights)
    given = None
    if estimator.standardise and not (partial and np.count_nonzero(held.weights) < _ENOUGH):
        given = standardisation(start, held.inputs, held.targets, held.weights)
    own = recipe(OWN, start if given is None else given.folded(start), estimator._generator, given)
    folds = 0 if partial else _folds(estimator, count)
    if not folds:
        return own
    other = None
    if estimator.recipe == "auto" and _is_known_there(
        estimator, start.activations[:-1], start.blocks
    ):
        generator = seeded(estimator.random_state, fresh)
        other = recipe(SCIKIT_LEARN, drawn(start, generator), generator, None)
    found = trials(
        own, other, held, strata, folds, copy.deepcopy(estimator._generator),
        {**options, "tolerance": float(estimator.tol), "patience": estimator.n_iter_no_change},
    )  # fmt: skip
    if found.ended is not None:
        number, training = found.ended
        return replace(own if number == 0 or other is None else other, ended=training)
    if other is not None and not is_better(found):
        return other
    return own if found.epochs is None else replace(own, epochs=found.epochs)


def _batch_size(estimator: Any, count: int, name: str) -> int:
    r"""Return how many examples a step takes: more where the steps of ``"sgd"`` are long.

    A step's noise is that of a rate over a batch [1]_, :math:`\eta/m`.

    References
    ----------
    .. [1] P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour",
       arXiv:1706.02677, section 2.1.
    """
    if estimator.batch_size != "auto":
        return int(estimator.batch_size)
    if name == SCIKIT_LEARN or count < _FEWEST:
        return _LARGEST_BATCH
    least = max(count // _STEPS, _SMALLEST_BATCH)
    if estimator.solver == "sgd":
        least = max(least, int(_EXAMPLES_PER_RATE * min(float(estimator.learning_rate_init), 1.0)))
    return min(least, _LARGEST_BATCH)


def _folds(estimator: Any, count: int) -> int:
    """Return how many trainings count epochs: none where the length of training was chosen."""
    if estimator.stopping_folds != "auto":
        return int(estimator.stopping_folds)
    is_open = (
        estimator.tol > 0.0
        and estimator.n_iter_no_change < estimator.max_iter
        and estimator.max_iter >= _LONG
        and estimator.learning_rate == "constant"
        and estimator.solver not in ("sgd", "lbfgs")
        and not estimator.early_stopping
    )
    return min(_FOLDS, -(-_IN_FOLDS // count)) if is_open and _FEWEST <= count <= _MOST else 0


def _is_known_there(estimator: Any, hidden: tuple[Formula, ...], blocks: tuple[int, ...]) -> bool:
    """Tell whether scikit-learn would train the same network for the same cost."""
    ours = inspect.signature(type(estimator)).parameters
    known = {activation_formula(name) for name in _ACTIVATIONS}
    return (
        estimator.solver == "adam"
        and len(blocks) <= 1
        and set(hidden) <= known
        and all(
            getattr(estimator, name) == ours[name].default
            for name in _UNKNOWN_THERE
            if name in ours
        )
    )
