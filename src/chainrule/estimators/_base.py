"""What the classifier and the regressor share."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from chainrule.catalogue import activation_formula
from chainrule.estimators._callers import is_one_of_many
from chainrule.estimators._data import FLOATS, checked_weights
from chainrule.estimators._evaluation import Evaluation, evaluation
from chainrule.estimators._fitted import Fitted
from chainrule.estimators._labels import with_types
from chainrule.estimators._parameters import (
    check_parameters,
    generator,
    hidden_formulas,
    hidden_sizes,
    learned_of,
    normalisations,
)
from chainrule.estimators._recipes import drawn, going_on, is_as_there, new_recipe, seeded
from chainrule.estimators._saturation import warn_of_saturation
from chainrule.estimators._start import output_name, start_from
from chainrule.estimators._training import options_of, trained
from chainrule.formulas import ParameterError
from chainrule.networks import (
    Standardisation,
    Training,
    TrainingState,
    network,
)
from chainrule.networks.training._callbacks import Callback, checked_callbacks


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as the network takes them, in blocks, the weights of the examples, strata of them."""

    matrix: NDArray[Any]
    weights: NDArray[Any]
    strata: NDArray[Any] | None = None
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Request:
    """What a call to train asks for besides the data."""

    eval_set: list[tuple[Any, ...]] | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_every: int | None = None
    partial: bool = False


class Feedforward(Fitted):
    """A feedforward network with scikit-learn's habits; subclasses say what targets mean."""

    hidden_layer_sizes: Any
    activation: Any
    activation_parameters: Any
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    normalisation: Any
    learned_parameters: Any
    clip_norm: float
    clip_value: float
    weight_decay: float
    standardise: bool
    stopping_folds: int | str
    recipe: str

    loss_: float
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_losses_: list[float] | None
    evals_result_: dict[str, dict[str, list[float]]]
    best_loss_: float | None
    best_validation_score_: float | None
    best_epoch_: int | None
    n_iter_: int
    t_: int
    recipe_: str
    n_layers_: int
    n_outputs_: int
    out_activation_: str

    _generator: np.random.Generator
    _state: TrainingState | None
    _standardisation: Standardisation | None

    def _prepare(self, y: Any, weights: NDArray[Any], *, goes_on: bool, partial: bool) -> Targets:
        """Learn what the targets are, or check that they still are; return them as a matrix."""
        raise NotImplementedError

    def _output(self) -> tuple[Any, Any]:
        """Return the output activation and the cost."""
        raise NotImplementedError

    def _rating(self, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> float:
        """Return the score of outputs against targets."""
        raise NotImplementedError

    @property
    def _stops_by_cost(self) -> bool:
        """Whether early stopping looks at the cost, not at the score."""
        return False

    def _errors(self, outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
        """Return how wrong each output is: what the score counts."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        eval_set: list[tuple[Any, ...]] | None = None,
        callbacks: Sequence[Callback] | Callback = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
    ) -> Any:
        """Train a new network, or with `warm_start` the one there is.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs. float32 and float64 stay what they are, other numbers become float64. Rows of a
            sparse matrix become dense when their batch comes; of more than 1024 columns, and few
            entries, they stay sparse.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the examples; without mini-batches a weight of 2 is the same as giving the
            example twice.
        eval_set : list of (X, y) or (X, y, sample_weight), optional
            Examples that are not trained on: the cost and the score on each are measured after
            every epoch (`evals_result_`). With `early_stopping` the last set decides when to stop
            and which epoch was the best, and nothing else is kept aside.
        callbacks : sequence of callable
            Each is called after every epoch with an `Epoch`: its number, the loss, the losses on
            the sets of `eval_set`, the learning rate, the seconds and the network. Training ends
            where one returns True.
        checkpoint : path-like, optional
            A file for all that it takes to go on. After whatever ended it, the same call of an
            estimator with the same parameters, a number as `random_state` among them, goes on from
            there and ends with the same network, bit for bit.
        checkpoint_every : int, optional
            How many epochs lie between two checkpoints; by default as few as keep writing below a
            tenth of the time.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter is outside its range, or `warm_start` meets a network of other sizes.
        ValueError
            The data are of wrong shapes or not finite, or their labels are not of the classes.
        DivergenceError
            The cost or a parameter became infinite or NaN.
        CheckpointError
            The checkpoint belongs to a training with other data or parameters, is damaged, or
            cannot be written.
        KeyboardInterrupt
            There was one in a fit that a search, a cross-validation or an ensemble called; in one
            that you call yourself it ends training, and the estimator is as good as it was then.
        """
        request = Request(eval_set, checked_callbacks(callbacks), checkpoint, checkpoint_every)
        return self._learn(X, y, sample_weight, request)

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        request: Request,
    ) -> Any:
        check_parameters(type(self).__name__, self.get_params(deep=False))
        partial = request.partial
        widths = hidden_sizes(self.hidden_layer_sizes)
        hidden = hidden_formulas(self.activation, self.activation_parameters, len(widths))
        kinds = normalisations(self.normalisation, len(widths))
        if self.solver == "lbfgs" and (np.any(self.dropout) or "batch" in kinds):
            raise ParameterError(
                "solver='lbfgs' takes all examples at once, without dropout and without "
                "normalisation over batches\nChoose another solver, or leave these out."
            )
        if partial and self.early_stopping:
            raise ParameterError(
                "partial_fit does not support early_stopping=True\nIt takes one step over the data "
                "at a time; set early_stopping=False, or call fit."
            )
        goes_on = (partial or self.warm_start) and hasattr(self, "coefs_")
        inputs, given = validate_data(
            self, X, y if is_regressor(self) else with_types(y), multi_output=True, dtype=FLOATS,
            order="C", accept_sparse="csr", y_numeric=is_regressor(self),
            reset=not (goes_on and hasattr(self, "n_features_in_")),
        )  # fmt: skip
        prepared = self._prepare(
            given, checked_weights(sample_weight, inputs), goes_on=goes_on, partial=partial
        )
        as_there = is_as_there(self, hidden, prepared.blocks, inputs)
        if not (partial and "_generator" in vars(self)):
            given = generator(self.random_state)
            self._generator = seeded(self.random_state, given) if as_there else given
        # A further partial_fit draws nothing anew: no copy for it.
        fresh = None if goes_on else copy.deepcopy(self._generator)
        output, cost = self._output()
        learned = learned_of(self.learned_parameters, (*hidden, activation_formula(output)))
        sizes = (inputs.shape[1], *widths, prepared.matrix.shape[1])
        layers: dict[str, Any] = {
            "normalisation": kinds, "learned": learned, "blocks": prepared.blocks
        }  # fmt: skip
        if goes_on:
            start = start_from(self, sizes, (*hidden, output), cost, inputs.dtype, **layers)
        else:
            start = network(
                sizes, (*hidden, output), cost, dtype=inputs.dtype,
                rng=0 if as_there else self._generator, **layers,
            )  # fmt: skip
            start = drawn(start, self._generator) if as_there else start
        targets = np.ascontiguousarray(prepared.matrix, start.dtype)
        if is_regressor(self) and not goes_on:
            warn_of_saturation(start, targets)
        held = evaluation(
            self, start, request.eval_set, inputs, targets, prepared.weights, prepared.strata,
            self._generator,
        )  # fmt: skip
        if fresh is None:
            recipe = going_on(self, start, len(held.weights), partial=partial)
        else:
            recipe = new_recipe(
                self, start, held, prepared.strata, fresh, options_of(self, start),
                as_there=as_there, partial=partial,
            )  # fmt: skip
            self._standardisation = recipe.standardisation
        self._generator, self.recipe_ = recipe.generator, recipe.name
        result = trained(self, recipe, held, request)
        self._keep(result, held, goes_on=goes_on, partial=partial)
        self._penalty, self._is_weighted = float(self.alpha), sample_weight is not None
        return self

    def _keep(self, result: Training, held: Evaluation, *, goes_on: bool, partial: bool) -> None:
        past = vars(self) if goes_on else {}
        self.network_, self._state = result.network, result.state
        self.loss_curve_ = [*past.get("loss_curve_", ()), *result.loss_curve]
        # Where a minimum is found at the start, there is no step to tell of.
        self.loss_ = (
            self.loss_curve_[-1] if self.loss_curve_
            else held.loss(result.network, float(self.alpha), vars(self).get("_standardisation"))
        )  # fmt: skip
        self.n_iter_ = len(result.loss_curve)
        self.t_ = past.get("t_", 0) + self.n_iter_ * held.inputs.shape[0]
        held.keep(self, past, result)
        is_rated = bool(self.early_stopping and held.sets)
        self.best_loss_ = None if is_rated else min(self.loss_curve_, default=None)
        self.best_epoch_ = result.best_epoch
        self.n_layers_, self.n_outputs_ = len(result.network.sizes), result.network.sizes[-1]
        self.out_activation_ = output_name(result.network)
        if result.interrupted and is_one_of_many():
            raise KeyboardInterrupt
        if partial:
            if result.interrupted:
                warnings.warn(
                    "training was interrupted within its pass over these examples; the estimator "
                    "is as good as it was then",
                    stacklevel=4,
                )
            return
        if result.interrupted:
            warnings.warn(
                f"training was interrupted after {self.n_iter_} epochs; the estimator is as good "
                "as it was then",
                stacklevel=4,
            )
        elif not (result.converged or result.stopped):
            kind = "loss" if self._stops_by_cost else "score"
            watched = f"validation {kind}" if is_rated else "loss"
            warnings.warn(
                f"training ended after max_iter={self.max_iter} epochs while the {watched} still "
                "improved; raise max_iter, or tol to be content with less",
                ConvergenceWarning,
                stacklevel=4,
            )
