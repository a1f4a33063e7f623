"""What scores over folds tell: differences, and whether chance explains them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """How much higher one score is than another over the same folds.

    Parameters
    ----------
    mean : float
    low, high : float
        The ends of the 95 % interval of the mean.
    probability : float
        Of a difference at least as large where there is none.
    """

    mean: float
    low: float
    high: float
    probability: float


def paired_difference(
    scores: Sequence[float], reference: Sequence[float], ratio: float
) -> Difference | None:
    r"""Return the corrected resampled t-test of two lists of scores over the same folds.

    .. math:: t = \frac{\bar d}{\sqrt{(1/J + n_{test}/n_{train})\, s_d^2}}

    with :math:`J - 1` degrees of freedom. Folds share most of their rows, so that the plain test
    takes chance for a difference far too often; the second summand corrects for that [1]_.

    Parameters
    ----------
    scores, reference : sequence of float
        One for each fold of each repeat.
    ratio : float
        Rows held out for one row to train on; 1/(k - 1) for k folds.

    Returns
    -------
    Difference or None
        None where the differences do not vary, which leaves nothing to compare their mean with.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52,
       2003, equation (9).

    Examples
    --------
    >>> found = paired_difference([0.9, 0.8, 1.0], [0.8, 0.8, 0.8], 0.5)
    >>> round(found.mean, 6), round(found.probability, 4)
    (0.1, 0.3876)
    """
    from scipy.special import stdtr, stdtrit

    differences = [ours - theirs for ours, theirs in zip(scores, reference, strict=True)]
    count = len(differences)
    mean, spread = statistics.fmean(differences), statistics.stdev(differences)
    error = math.sqrt(1.0 / count + ratio) * spread
    if error <= 1e-12 * max(map(abs, differences)):
        return None
    half = float(stdtrit(count - 1, 0.5 + _CONFIDENCE / 2)) * error
    probability = 2.0 * float(stdtr(count - 1, -abs(mean) / error))
    return Difference(mean, mean - half, mean + half, probability)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities corrected for how many of them there are.

    The smallest is multiplied by their number, the next by one less, and so on (Holm 1979).

    Examples
    --------
    >>> holm([0.03, 0.01, 0.5])
    [0.06, 0.03, 0.5]
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    corrected = [0.0] * len(probabilities)
    largest = 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - place) * probabilities[k]))
        corrected[k] = largest
    return corrected
