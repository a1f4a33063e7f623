"""Learning-rate schedules: values that give every step its rate.

A schedule scales the optimiser's own learning rate, so that each works with any optimiser. Lengths
are told in epochs, fractions included: then they mean the same for batches of any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from chainrule.networks._errors import NetworkError
from chainrule.networks.training._span import Rates, Schedule, Span, Steps, check_range


@final
@dataclass(frozen=True)
class Constant(Schedule):
    """The optimiser's learning rate at every step.

    Examples
    --------
    >>> Constant().rates(np.arange(3), Span(0.1, epochs=1, steps=3, examples=30))
    array([0.1, 0.1, 0.1])
    """

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        return np.full(len(steps), span.learning_rate)


@final
@dataclass(frozen=True)
class Cosine(Schedule):
    r"""Half a cosine from the learning rate down to a share of it [1]_.

    .. math:: \eta_t = \eta \left( \lambda + (1 - \lambda) \frac{1 + \cos(\pi t / T)}{2} \right)

    Parameters
    ----------
    lowest : float
        The share :math:`\lambda` of the learning rate, in [0, 1], where the cosine ends.
    epochs : float, optional
        Its length :math:`T`, counted from the first training's first step; the lowest rate is kept
        afterwards. By default it is as long as the training, each time that one goes on.

    Raises
    ------
    NetworkError
        A parameter is outside its range.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, equation 5.

    Examples
    --------
    >>> Cosine().rates(np.array([0, 5, 10]), Span(0.1, epochs=10, steps=1, examples=30)).round(3)
    array([0.1 , 0.05, 0.  ])
    """

    lowest: float = 0.0
    epochs: float | None = None

    def __post_init__(self) -> None:
        check_range(self, "lowest", 0.0, 1.0)
        if self.epochs is not None:
            check_range(self, "epochs", 0.0, math.inf, above=True)

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        done = span.share_at(steps) if self.epochs is None else span.epochs_at(steps) / self.epochs
        return span.learning_rate * _fall(np.minimum(done, 1.0), 1.0, self.lowest)


@final
@dataclass(frozen=True)
class OneCycle(Schedule):
    r"""Up from a small rate to the learning rate, and down to almost nothing [1]_.

    Two half cosines: from :math:`\eta / d` to :math:`\eta` over the first share of the training,
    then to :math:`\eta / (d f)`.

    Parameters
    ----------
    rise : float
        The share of the training that rises, in (0, 1).
    start : float
        The divisor :math:`d` at the start, at least 1.
    end : float
        The further divisor :math:`f` at the end, at least 1.

    Raises
    ------
    NetworkError
        A parameter is outside its range.

    References
    ----------
    .. [1] L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using
       large learning rates", 2018, arXiv:1708.07120; with cosines, as is common since.

    Examples
    --------
    >>> span = Span(1.0, epochs=10, steps=1, examples=30)
    >>> OneCycle(rise=0.2, start=4.0, end=100.0).rates(np.array([0, 1, 2, 10]), span)
    array([0.25  , 0.625 , 1.    , 0.0025])
    """

    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        check_range(self, "rise", 0.0, 1.0, above=True, below=True)
        check_range(self, "start", 1.0, math.inf)
        check_range(self, "end", 1.0, math.inf)

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        done = np.minimum(span.share_at(steps), 1.0)
        low, rise = 1.0 / self.start, self.rise
        up = _fall(np.minimum(done / rise, 1.0), low, 1.0)
        down = _fall(np.maximum(done - rise, 0.0) / (1.0 - rise), 1.0, low / self.end)
        return span.learning_rate * np.where(done < rise, up, down)


@final
@dataclass(frozen=True)
class StepDecay(Schedule):
    r"""The learning rate times a factor once every few epochs.

    .. math:: \eta_t = \eta \, \gamma^{\lfloor e / k \rfloor}

    Parameters
    ----------
    every : float
        The epochs :math:`k` between two falls, above 0.
    factor : float
        The factor :math:`\gamma`, in (0, 1].

    Raises
    ------
    NetworkError
        A parameter is outside its range.

    Examples
    --------
    >>> StepDecay(2, 0.5).rates(np.arange(6), Span(0.1, epochs=6, steps=1, examples=30))
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025, 0.025])
    """

    every: float = 30.0
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_range(self, "every", 0.0, math.inf, above=True)
        check_range(self, "factor", 0.0, 1.0, above=True)

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        return _scaled(span, self.factor ** np.floor(span.epochs_at(steps) / self.every))


@final
@dataclass(frozen=True)
class Exponential(Schedule):
    r"""The learning rate times a factor for each epoch, a little at every step.

    .. math:: \eta_t = \eta \, \gamma^{e}

    Parameters
    ----------
    factor : float
        The factor :math:`\gamma` of an epoch, in (0, 1].

    Raises
    ------
    NetworkError
        The factor is outside its range.

    Examples
    --------
    >>> Exponential(0.25).rates(np.arange(3), Span(1.0, epochs=6, steps=2, examples=30))
    array([1.  , 0.5 , 0.25])
    """

    factor: float = 0.95

    def __post_init__(self) -> None:
        check_range(self, "factor", 0.0, 1.0, above=True)

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        return _scaled(span, self.factor ** span.epochs_at(steps))


@final
@dataclass(frozen=True)
class InverseScaling(Schedule):
    r"""The learning rate over a power of the examples seen: scikit-learn's ``invscaling``.

    .. math:: \eta_t = \frac{\eta}{(n + 1)^p}

    with the number :math:`n` of examples that the epochs before have seen; the rate changes between
    epochs only.

    Parameters
    ----------
    power : float
        The exponent :math:`p`, at least 0.

    Raises
    ------
    NetworkError
        The power is outside its range.

    Examples
    --------
    >>> InverseScaling(0.5).rates(np.arange(4), Span(1.0, epochs=2, steps=2, examples=99))
    array([1. , 1. , 0.1, 0.1])
    """

    power: float = 0.5

    def __post_init__(self) -> None:
        check_range(self, "power", 0.0, math.inf)

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        return span.learning_rate / (span.examples_at(steps) + 1.0) ** self.power


@final
@dataclass(frozen=True)
class Adaptive(Schedule):
    """The learning rate, divided each time that nothing improved: scikit-learn's ``adaptive``.

    Where training would end because nothing improved by its tolerance for more epochs than its
    patience, the rate is divided and the patience begins anew; training ends where the rate is at
    the lowest already.

    Parameters
    ----------
    divisor : float
        What the rate is divided by, above 1.
    lowest : float
        At this rate and below training ends instead.

    Raises
    ------
    NetworkError
        A parameter is outside its range.

    Examples
    --------
    >>> span = Span(1.0, epochs=2, steps=2, examples=99, reductions=1)
    >>> Adaptive().rates(np.arange(2), span)
    array([0.2, 0.2])
    """

    divisor: float = 5.0
    lowest: float = 1e-6

    def __post_init__(self) -> None:
        check_range(self, "divisor", 1.0, math.inf, above=True)
        check_range(self, "lowest", 0.0, math.inf, above=True)

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        rate = span.learning_rate
        for _ in range(span.reductions):
            rate /= self.divisor
        return np.full(len(steps), rate)


@final
@dataclass(frozen=True)
class WarmUp(Schedule):
    r"""A straight rise over the first epochs, then another schedule [1]_.

    .. math:: \eta_t = \eta'_t \min\left( 1, \frac{t + 1}{T} \right)

    with the :math:`T` steps of the rise and the other schedule's rates :math:`\eta'_t`.

    Parameters
    ----------
    epochs : float
        The length of the rise, above 0.
    then : Schedule
        The schedule that is scaled; the optimiser's rate by default.

    Raises
    ------
    NetworkError
        The length is outside its range, or what follows is no schedule.

    References
    ----------
    .. [1] P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017,
       arXiv:1706.02677, section 2.2.

    Examples
    --------
    >>> WarmUp(2).rates(np.arange(5), Span(1.0, epochs=5, steps=2, examples=99))
    array([0.25, 0.5 , 0.75, 1.  , 1.  ])
    """

    epochs: float = 5.0
    then: Schedule = Constant()

    def __post_init__(self) -> None:
        check_range(self, "epochs", 0.0, math.inf, above=True)
        if not isinstance(self.then, Schedule):
            raise NetworkError(f"WarmUp: then must be a schedule, got {self.then!r:.60}")

    def rates(self, steps: Steps, span: Span) -> Rates:
        """Return the learning rate of each step."""
        done = span.epochs_at(np.asarray(steps) + 1) / self.epochs
        return self.then.rates(steps, span) * np.minimum(done, 1.0)


def lowered(schedule: Schedule, span: Span) -> Span | None:
    """Return the span with a lower rate, where the schedule wants one before training ends."""
    while isinstance(schedule, WarmUp):
        schedule = schedule.then
    if not isinstance(schedule, Adaptive):
        return None
    rate = float(schedule.rates(np.zeros(1, np.intp), span)[0])
    return None if rate <= schedule.lowest else replace(span, reductions=span.reductions + 1)


def _fall(done: Rates, first: float, last: float) -> Rates:
    """Return half a cosine from the first value to the last, where `done` goes from 0 to 1."""
    return last + (first - last) * 0.5 * (1.0 + np.cos(np.pi * done))


def _scaled(span: Span, factors: Any) -> Rates:
    return np.asarray(span.learning_rate * factors, np.float64)
