"""What the units of a classifier's output layer stand for: codes of labels to targets and back.

Codes are the places of labels among the sorted classes, one for each example, or a row of them:
zeros and ones for many labels, or the codes of several columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from chainrule import kernels
from chainrule.catalogue import activation_formula
from chainrule.formulas import Formula
from chainrule.networks import in_blocks


class Meaning(ABC):
    """What the units of an output layer stand for."""

    activation: str
    cost: str

    @property
    @abstractmethod
    def blocks(self) -> tuple[int, ...]:
        """How many units each block of the output layer has."""

    @abstractmethod
    def encode(self, codes: Any) -> NDArray[Any]:
        """Return targets for the units."""

    @abstractmethod
    def smoothed(self, targets: NDArray[Any], share: float) -> NDArray[Any]:
        r"""Return targets with a share of their weight spread evenly over the classes [1]_.

        .. math:: y' = (1 - \epsilon) y + \epsilon / K

        with the number of classes :math:`K`, which is two for a unit that tells one label.

        References
        ----------
        .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision",
           CVPR 2016, section 7.
        """

    @abstractmethod
    def decode(self, outputs: NDArray[Any]) -> NDArray[np.intp]:
        """Return the codes that outputs, or targets, stand for."""

    @abstractmethod
    def probabilities(self, outputs: NDArray[Any]) -> Any:
        """Return the probability of every class, for several columns a list of them."""

    @abstractmethod
    def log_probabilities(self, Z: NDArray[Any]) -> Any:
        """Return their logarithms, from the pre-activations: they are finite where those round."""

    @abstractmethod
    def slopes(self, of_outputs: NDArray[Any]) -> Any:
        """Return the derivatives of the probabilities, from those of the outputs."""

    def are_right(self, outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of which examples all codes are right."""
        right = self.decode(outputs) == self.decode(targets)
        whole: NDArray[np.bool_] = right.reshape(len(right), -1).all(axis=1)
        return whole


@final
@dataclass(frozen=True)
class OneOfTwo(Meaning):
    """One unit: the probability of the second of two classes."""

    activation = "sigmoid"
    cost = "binary_cross_entropy"
    blocks = (1,)

    def encode(self, codes: Any) -> NDArray[Any]:
        targets: NDArray[Any] = codes[:, None]
        return targets

    def smoothed(self, targets: NDArray[Any], share: float) -> NDArray[Any]:
        return _smoothed(targets, share, 2)

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.intp]:
        return (outputs[:, 0] > 0.5).astype(np.intp)

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([1.0 - outputs, outputs], axis=1)

    def log_probabilities(self, Z: NDArray[Any]) -> NDArray[Any]:
        parts = [kernels.forward(_formula(text), Z) for text in ("-log(1 + exp(z))", "log_sigmoid")]
        return np.concatenate(parts, axis=1)

    def slopes(self, of_outputs: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([-of_outputs, of_outputs], axis=1)


@final
@dataclass(frozen=True)
class OneOfSeveral(Meaning):
    """A unit for each class: the probabilities of all."""

    classes: int

    activation = "softmax"
    cost = "categorical_cross_entropy"

    @property
    def blocks(self) -> tuple[int, ...]:
        return (self.classes,)

    def encode(self, codes: Any) -> NDArray[Any]:
        targets: NDArray[Any] = codes[:, None] == np.arange(self.classes)
        return targets

    def smoothed(self, targets: NDArray[Any], share: float) -> NDArray[Any]:
        return _smoothed(targets, share, self.classes)

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.intp]:
        codes: NDArray[np.intp] = outputs.argmax(axis=1)
        return codes

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs

    def log_probabilities(self, Z: NDArray[Any]) -> NDArray[Any]:
        return kernels.forward(_formula("log_softmax"), Z)

    def slopes(self, of_outputs: NDArray[Any]) -> NDArray[Any]:
        return of_outputs


@final
@dataclass(frozen=True)
class ManyLabels(Meaning):
    """A unit for each label, whether an example has it."""

    labels: int

    activation = "sigmoid"
    cost = "binary_cross_entropy"

    @property
    def blocks(self) -> tuple[int, ...]:
        return (self.labels,)

    def encode(self, codes: Any) -> NDArray[Any]:
        targets: NDArray[Any] = codes
        return targets

    def smoothed(self, targets: NDArray[Any], share: float) -> NDArray[Any]:
        return _smoothed(targets, share, 2)

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.intp]:
        return (outputs > 0.5).astype(np.intp)

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs

    def log_probabilities(self, Z: NDArray[Any]) -> NDArray[Any]:
        return kernels.forward(_formula("log_sigmoid"), Z)

    def slopes(self, of_outputs: NDArray[Any]) -> NDArray[Any]:
        return of_outputs


@final
@dataclass(frozen=True)
class SeveralColumns(Meaning):
    """A block of units for each column of labels, in each of them a unit for each class."""

    columns: tuple[OneOfSeveral, ...]

    activation = OneOfSeveral.activation
    cost = OneOfSeveral.cost

    @property
    def blocks(self) -> tuple[int, ...]:
        return tuple(column.classes for column in self.columns)

    def encode(self, codes: Any) -> NDArray[Any]:
        return np.hstack([own.encode(codes[:, k]) for k, own in enumerate(self.columns)])

    def smoothed(self, targets: NDArray[Any], share: float) -> NDArray[Any]:
        return np.hstack([own.smoothed(part, share) for own, part in self._parts(targets)])

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.intp]:
        return np.column_stack([own.decode(part) for own, part in self._parts(outputs)])

    def probabilities(self, outputs: NDArray[Any]) -> list[NDArray[Any]]:
        return [own.probabilities(part) for own, part in self._parts(outputs)]

    def log_probabilities(self, Z: NDArray[Any]) -> list[NDArray[Any]]:
        return [own.log_probabilities(part) for own, part in self._parts(Z)]

    def slopes(self, of_outputs: NDArray[Any]) -> list[NDArray[Any]]:
        return [own.slopes(part) for own, part in self._parts(of_outputs)]

    def _parts(self, values: NDArray[Any]) -> list[tuple[OneOfSeveral, NDArray[Any]]]:
        parts = map(np.ascontiguousarray, in_blocks(values, self.blocks))
        return list(zip(self.columns, parts, strict=True))


def meaning_of(
    classes: NDArray[Any] | list[NDArray[Any]], *, many: bool, one_unit: bool
) -> Meaning:
    """Return what the units for some classes stand for.

    Parameters
    ----------
    classes : ndarray, or list of ndarray
        The labels; a list of those of each column.
    many : bool
        Whether each of them is told by itself.
    one_unit : bool
        Whether two classes of one column have one unit.
    """
    if isinstance(classes, list):
        return SeveralColumns(tuple(OneOfSeveral(len(column)) for column in classes))
    if many:
        return ManyLabels(len(classes))
    return OneOfTwo() if one_unit and len(classes) == 2 else OneOfSeveral(len(classes))


def _smoothed(targets: NDArray[Any], share: float, classes: int) -> NDArray[Any]:
    return (1.0 - share) * targets + share / classes


@cache
def _formula(text: str) -> Formula:
    return activation_formula(text)
