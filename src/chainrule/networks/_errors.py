"""What can go wrong with a network: its start, its training, its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.formulas import ChainruleError

if TYPE_CHECKING:
    from chainrule.networks._network import Network


class NetworkError(ChainruleError, ValueError):
    """A network, its inputs or its targets do not fit together."""


class InitialisationError(ChainruleError, ValueError):
    """An activation is not a number where pre-activations commonly lie."""


class DivergenceError(ChainruleError, ArithmeticError, ValueError):
    """Training left the finite numbers.

    It is a ValueError as well, which scikit-learn's networks raise then.

    Parameters
    ----------
    message : str
        What happened and what to change.
    network : Network
        The network as it was before the epoch in which it happened.
    """

    def __init__(self, message: str, network: Network) -> None:
        self.network = network
        super().__init__(message)


class ModelFileError(ChainruleError, ValueError):
    """A file that does not hold a model of this package, or holds a damaged one."""


class CheckpointError(ChainruleError, ValueError):
    """A checkpoint that is damaged, is of another training, or cannot be written.

    Parameters
    ----------
    message : str
        What happened and what to do.
    network : Network, optional
        What was learned until then, where the checkpoint could not be written.
    """

    def __init__(self, message: str, network: Network | None = None) -> None:
        self.network = network
        super().__init__(message)
