"""What a comparison found, as values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.command._options import Against, Task
from chainrule.command.compare._state import Fit, Key, name_of
from chainrule.command.compare._statistics import Difference, holm, paired_difference
from chainrule.formulas import Formula

SURE = 0.05


@dataclass(frozen=True)
class Scored:
    """One activation over all folds.

    Parameters
    ----------
    formula : Formula
    fits : tuple of Fit
        One for each fold of each repeat, in the same order for every activation.
    difference : Difference or None
        Against the reference; None for the reference itself, and where it cannot be tested.
    corrected : float or None
        The probability of the difference, corrected for the number of activations.
    """

    formula: Formula
    fits: tuple[Fit, ...]
    difference: Difference | None = None
    corrected: float | None = None

    @property
    def title(self) -> str:
        """Its name, or its formula; with the parameters where there are any."""
        values = ", ".join(f"{name}={value:g}" for name, value in self.formula.parameters)
        return f"{self.formula.title} ({values})" if values else self.formula.title

    @property
    def problems(self) -> tuple[str, ...]:
        """Why there is no score, of the fits that have none."""
        return tuple(fit.problem for fit in self.fits if fit.problem)

    @property
    def scores(self) -> tuple[float, ...]:
        """The scores of the fits that have one."""
        return tuple(fit.score for fit in self.fits if not fit.problem)

    @property
    def mean(self) -> float:
        """The mean score; NaN where there is none."""
        return statistics.fmean(self.scores) if self.scores else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation of the scores; NaN below two."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else math.nan

    @property
    def seconds(self) -> float:
        """The median seconds of a fit; NaN where none ended."""
        times = [fit.seconds for fit in self.fits if not fit.problem]
        return statistics.median(times) if times else math.nan

    @property
    def epochs(self) -> float:
        """The median epochs of a fit; NaN where none ended."""
        counts = [fit.epochs for fit in self.fits if not fit.problem]
        return statistics.median(counts) if counts else math.nan

    @property
    def unfinished(self) -> int:
        """How many fits used up their epochs while the loss still improved."""
        return sum(not fit.converged and not fit.problem for fit in self.fits)

    @property
    def is_surely_different(self) -> bool:
        """Whether chance hardly explains the difference."""
        return self.corrected is not None and self.corrected < SURE


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what came of it.

    Parameters
    ----------
    data : Path
    rows : int
    targets : tuple of str
    task : Task
    settings : dict
        All that the scores depend on besides the activations.
    against : Against
    scored : tuple of Scored
    reference : int
        The place of the activation that the others are compared with.
    baseline : float or None
        The accuracy of always the commonest class of each target.
    """

    data: Path
    rows: int
    targets: tuple[str, ...]
    task: Task
    settings: dict[str, Any]
    against: Against
    scored: tuple[Scored, ...]
    reference: int
    baseline: float | None

    @property
    def measure(self) -> str:
        """What the score is."""
        of_one = "accuracy" if self.task is Task.CLASSIFICATION else "R²"
        of_several = "all right" if self.task is Task.CLASSIFICATION else "mean R²"
        return of_one if len(self.targets) == 1 else of_several

    @property
    def target(self) -> str:
        """The names of the targets."""
        return ", ".join(self.targets)

    @property
    def others(self) -> tuple[Scored, ...]:
        """All but the reference."""
        return tuple(s for k, s in enumerate(self.scored) if k != self.reference)


def scored_fits(
    formulas: Sequence[Formula], kept: Mapping[Key, Fit], folds: int, repeats: int
) -> tuple[Scored, ...]:
    """Gather the fits of every activation, in the order of the folds."""
    places = [(repeat, fold) for repeat in range(repeats) for fold in range(folds)]
    return tuple(
        Scored(formula, tuple(kept[name_of(formula), repeat, fold] for repeat, fold in places))
        for formula in formulas
    )


def reference_of(scored: Sequence[Scored], against: Against) -> int:
    """Return the place of the activation that the others are compared with."""
    if against is Against.FIRST:
        return 0
    means = [-math.inf if s.problems else s.mean for s in scored]
    return means.index(max(means))


def tested(scored: Sequence[Scored], reference: int, folds: int) -> tuple[Scored, ...]:
    """Test every activation against the reference, where both have all their scores."""
    theirs = scored[reference]
    differences = [
        None
        if k == reference or s.problems or theirs.problems
        else paired_difference(s.scores, theirs.scores, 1.0 / (folds - 1))
        for k, s in enumerate(scored)
    ]
    found = [difference for difference in differences if difference]
    corrected = iter(holm([difference.probability for difference in found]))
    return tuple(
        replace(s, difference=d, corrected=next(corrected) if d else None)
        for s, d in zip(scored, differences, strict=True)
    )
