"""Which optimiser and which learning rates an estimator's parameters stand for."""

from __future__ import annotations

from typing import Any

from chainrule.networks import (
    Adam,
    AdamW,
    Adaptive,
    Cosine,
    GradientDescent,
    InverseScaling,
    Muon,
    OneCycle,
    Optimiser,
    RMSprop,
    Schedule,
    WarmUp,
)

SOLVERS = ("lbfgs", "sgd", "adam", "adamw", "rmsprop", "muon")
_SCHEDULES: dict[str, Schedule] = {
    "cosine": Cosine(),
    "one_cycle": OneCycle(),
    "warm_up": WarmUp(),
}
LEARNING_RATES = ("constant", "invscaling", "adaptive", *_SCHEDULES)


def optimiser_of(estimator: Any) -> Optimiser:
    """Return the optimiser that `solver` names, with its parameters."""
    rate, decay = float(estimator.learning_rate_init), float(estimator.weight_decay)
    betas = {
        "beta_1": estimator.beta_1, "beta_2": estimator.beta_2, "epsilon": estimator.epsilon
    }  # fmt: skip
    match estimator.solver:
        case "adam":
            return Adam(rate, **betas)
        case "adamw":
            return AdamW(rate, decay, **betas)
        case "muon":
            return Muon(rate, weight_decay=decay, **betas)
        case "rmsprop":
            return RMSprop(rate, beta=estimator.beta_2, epsilon=estimator.epsilon)
    return GradientDescent(rate, estimator.momentum, estimator.nesterovs_momentum)


def schedule_of(estimator: Any) -> Schedule | None:
    """Return the schedule that `learning_rate` names; None is a constant rate.

    scikit-learn's own schedules act on "sgd" alone, there and here.
    """
    given = estimator.learning_rate
    if isinstance(given, Schedule):
        return given
    if given in _SCHEDULES:
        return _SCHEDULES[given]
    if estimator.solver != "sgd" or given == "constant":
        return None
    return Adaptive() if given == "adaptive" else InverseScaling(float(estimator.power_t))


def uses_epochs(estimator: Any) -> bool:
    """Tell whether the solver takes the examples part by part, as `partial_fit` needs."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for solvers that train in epochs; lbfgs takes all "
            "examples at once"
        )
    return True
