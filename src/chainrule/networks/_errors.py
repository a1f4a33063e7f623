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


class UnwritableFileError(ModelFileError, OSError):
    """A model file that cannot be written; what was there before is whole.

    It is an OSError as well, with its `errno` and `filename`.

    Parameters
    ----------
    path : str
        Where to.
    cause : str
        Why not.
    number : int, optional
        The system's number of the error.
    """

    def __init__(self, path: str, cause: str, number: int | None = None) -> None:
        super().__init__(path, cause, number)
        self.filename, self.strerror, self.errno = path, cause, number

    def __str__(self) -> str:
        return (
            f"the model file {self.filename!r} cannot be written: {self.strerror}\n"
            "Make room, or give the path of a file in a folder that is there."
        )


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
