"""What a reference tells of one point, and of one row of a layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from chainrule.references._ball import NOTHING, Raw


@dataclass(frozen=True)
class Truth:
    """What is true at one point.

    Attributes
    ----------
    value : tuple or None
        A raw float: far more digits than the format's; infinite where the value overflows, not a
        number where the formula has no real value and its sides no limit in common; None where the
        reference could not be had.
    left, right : tuple or None
        The one-sided derivatives; equal where the function is smooth.
    value_change, derivative_change : int
        Binary magnitudes of ``z f'(z)`` and ``z f''(z)``: what a relative change of `z` moves.
    is_limit : bool
        Whether the formula itself has no value here, and this is what both sides tend to, as
        ``sin(z)/z`` does at 0.
    """

    value: Raw | None
    left: Raw | None = None
    right: Raw | None = None
    value_change: int = NOTHING
    derivative_change: int = NOTHING
    is_limit: bool = False

    @property
    def is_kink(self) -> bool:
        """Whether the derivatives of the two sides differ."""
        return self.left is not None and self.left != self.right


@dataclass(frozen=True)
class LayerTruth:
    """What is true for one row of a layer-coupled function.

    Attributes
    ----------
    values : list of tuple
        The activations.
    value_changes : list of int
        Binary magnitudes of ``sum_j |z_j da_p/dz_j|``, unit by unit.
    left, right : list of tuple
        One-sided derivatives of ``sum_p dJ/da_p a_p`` by every pre-activation.
    terms : list of int
        Binary magnitudes of ``sum_p |dJ/da_p da_p/dz_j|``, where what a unit does to itself and
        what it does through sums over the layer are terms apart.
    derivative_changes : list of int
        Binary magnitudes of what a relative change of the pre-activations, and of the targets of a
        cost, moves.
    """

    values: list[Raw]
    value_changes: list[int]
    left: list[Raw]
    right: list[Raw]
    terms: list[int]
    derivative_changes: list[int] = field(default_factory=list)
