"""The ranges of the estimators' parameters, and what `activation` may be."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from chainrule.catalogue import activation_formula
from chainrule.estimators._solvers import LEARNING_RATES, SOLVERS
from chainrule.formulas import Formula, ParameterError
from chainrule.networks import Schedule


@dataclass(frozen=True)
class Interval:
    """The numbers between two ends; `[` and `]` include an end, `(` and `)` exclude it."""

    low: float
    high: float
    ends: str = "[]"
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        kind = numbers.Integral if self.whole else numbers.Real
        if not isinstance(value, kind) or isinstance(value, bool | np.bool_):
            return False
        number = float(value)
        above = number > self.low or (number == self.low and self.ends[0] == "[")
        below = number < self.high or (number == self.high and self.ends[1] == "]")
        return above and below and not math.isnan(number)

    def __str__(self) -> str:
        noun = "a whole number" if self.whole else "a number"
        return f"{noun} in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        # A grid of parameters that is an array gives numpy.str_ and numpy.bool_.
        plain = value.item() if isinstance(value, np.generic) else value
        return any(type(plain) is type(known) and plain == known for known in self.values)

    def __str__(self) -> str:
        return " or ".join(repr(value) for value in self.values)


@dataclass(frozen=True)
class Kind:
    """Values of some types, told in words."""

    types: tuple[type, ...]
    words: str

    def __contains__(self, value: object) -> bool:
        return isinstance(value, self.types)

    def __str__(self) -> str:
        return self.words


Constraint = Interval | Choice | Kind

_POSITIVE = Interval(0.0, math.inf, "()")
_NOT_NEGATIVE = Interval(0.0, math.inf, "[)")
_SHARE = Interval(0.0, 1.0, "[)")
_TRUTH = Choice((True, False))
_COUNT = Interval(1, math.inf, "[)", whole=True)

CONSTRAINTS: dict[str, tuple[Constraint, ...]] = {
    "normalisation": (
        Choice((None, "layer", "batch")),
        Kind((list, tuple), "a list of these, one for each hidden layer"),
    ),
    "loss": (Choice(("squared_error", "poisson")),),
    "solver": (Choice(SOLVERS),),
    "alpha": (_NOT_NEGATIVE,),
    "batch_size": (Choice(("auto",)), _COUNT),
    "learning_rate": (Choice(LEARNING_RATES), Kind((Schedule,), "a schedule such as Cosine()")),
    "learning_rate_init": (_POSITIVE,),
    "power_t": (_NOT_NEGATIVE,),
    "max_iter": (_COUNT,),
    "shuffle": (_TRUTH,),
    "tol": (_NOT_NEGATIVE,),
    "verbose": (_TRUTH, Interval(0, math.inf, "[)", whole=True)),
    "warm_start": (_TRUTH,),
    "momentum": (Interval(0.0, 1.0, "[]"),),
    "nesterovs_momentum": (_TRUTH,),
    "early_stopping": (_TRUTH,),
    "validation_fraction": (_SHARE,),
    "beta_1": (_SHARE,),
    "beta_2": (_SHARE,),
    "epsilon": (_POSITIVE,),
    "n_iter_no_change": (_COUNT, Choice((math.inf,))),
    "max_fun": (_COUNT,),
    "class_weight": (
        Choice((None, "balanced")),
        Kind((Mapping, list), "a mapping of classes to weights, with several columns a list"),
    ),
    "label_smoothing": (_SHARE,),
    "dropout": (_SHARE, Kind((list, tuple), "a list of these, one for the inputs of each layer")),
    "clip_norm": (_NOT_NEGATIVE,),
    "clip_value": (_NOT_NEGATIVE,),
    "weight_decay": (_NOT_NEGATIVE,),
    "standardise": (_TRUTH,),
    "recipe": (Choice(("auto", "own", "scikit-learn")),),
    "stopping_folds": (Choice(("auto",)), Interval(0, math.inf, "[)", whole=True)),
}


_NORMALISATIONS = Choice((None, "layer", "batch"))

_LOSS_COMES_FIRST = (
    "\nAs in scikit-learn, the loss of a regressor comes first: write hidden_layer_sizes=..., and "
    "cost=... for another cost."
)


def check_parameters(estimator: str, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters outside their range."""
    for name, allowed in CONSTRAINTS.items():
        if name not in parameters:
            continue
        value = parameters[name]
        if not any(value in constraint for constraint in allowed):
            expected = ", or ".join(str(constraint) for constraint in allowed)
            hint = _LOSS_COMES_FIRST if name == "loss" else ""
            raise ParameterError(f"{name} of {estimator} must be {expected}; got {value!r}{hint}")


def hidden_sizes(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the number of units of every hidden layer."""
    if isinstance(hidden_layer_sizes, Sequence | np.ndarray):
        sizes: list[Any] = list(hidden_layer_sizes)
    else:
        sizes = [hidden_layer_sizes]
    if not all(size in _COUNT for size in sizes):
        raise ParameterError(
            "hidden_layer_sizes must be positive whole numbers, one for each hidden layer, such as "
            f"(100,) or (64, 64); got {hidden_layer_sizes!r}"
        )
    return tuple(int(size) for size in sizes)


def hidden_formulas(activation: Any, parameters: Any, layers: int) -> tuple[Formula, ...]:
    """Return the activation of every hidden layer.

    `activation` is one source for all layers or a list with one for each; `parameters` likewise.
    """
    sources = list(activation) if isinstance(activation, list | tuple) else [activation] * layers
    values = list(parameters) if isinstance(parameters, list | tuple) else [parameters] * layers
    for what, given in (("activation", sources), ("activation_parameters", values)):
        if len(given) != layers:
            raise ParameterError(
                f"{what} lists {len(given)} for {layers} hidden layers; "
                "give one for each layer, or a single one for all"
            )
    for entry in values:
        if entry is not None and not isinstance(entry, Mapping):
            raise ParameterError(
                "activation_parameters must map names to numbers, such as {'alpha': 0.2}; "
                f"got {entry!r}"
            )
    return tuple(
        activation_formula(source, **(entry or {}))
        for source, entry in zip(sources, values, strict=True)
    )


def normalisations(normalisation: Any, layers: int) -> tuple[str, ...]:
    """Return what every hidden layer normalises over, empty for nothing."""
    several = isinstance(normalisation, list | tuple)
    kinds = tuple(normalisation) if several else (normalisation,) * layers
    if len(kinds) != layers or not all(kind in _NORMALISATIONS for kind in kinds):
        raise ParameterError(
            f"normalisation must be {_NORMALISATIONS}, or a list with one of these for each of the "
            f"{layers} hidden layers; got {normalisation!r}"
        )
    return tuple(kind or "" for kind in kinds)


def learned_of(names: Any, activations: tuple[Formula, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the names of the activation's parameters that each layer learns."""
    names = () if names is None else names
    listed = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    known = {name for formula in activations for name, _ in formula.parameters}
    if not listed or not known.issuperset(names):
        raise ParameterError(
            "learned_parameters must be a list of names of parameters of activations, here "
            f"{sorted(known)}; got {names!r}"
        )
    return tuple(
        tuple(name for name, _ in formula.parameters if name in names) for formula in activations
    )


def shares(dropout: Any, layers: int) -> float | tuple[float, ...]:
    """Return the shares of inputs that training drops: one for all layers, or one for each."""
    if not isinstance(dropout, list | tuple):
        return float(dropout)
    if len(dropout) != layers or not all(share in _SHARE for share in dropout):
        raise ParameterError(
            f"dropout must be {_SHARE}, or {layers} of these, for the inputs of each layer; got "
            f"{dropout!r}"
        )
    return tuple(float(share) for share in dropout)


def generator(random_state: Any) -> np.random.Generator:
    """Return a NumPy generator from what scikit-learn or NumPy calls a source of randomness.

    None and the module `numpy.random` are NumPy's global state, as everywhere in scikit-learn:
    `numpy.random.seed` makes a program repeatable.
    """
    if isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state)
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        if int(random_state) >= 0:
            return np.random.default_rng(int(random_state))
    elif random_state in (None, np.random) or isinstance(random_state, np.random.RandomState):
        source = check_random_state(random_state)
        return np.random.default_rng(source.randint(2**31 - 1, size=4))
    raise ParameterError(
        "random_state must be None, a whole number of at least 0, or a random generator of NumPy; "
        f"got {random_state!r}"
    )
