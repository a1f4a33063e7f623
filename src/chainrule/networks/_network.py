"""A feedforward network as a value: sizes, formulas, and one flat vector of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.catalogue import activation_formula, cost_formula
from chainrule.formulas import Formula
from chainrule.networks._blocks import check_blocks
from chainrule.networks._checks import as_rows, check_architecture, check_normalisations
from chainrule.networks._errors import NetworkError
from chainrule.networks._initialisation import initial_parameters
from chainrule.networks._layout import Layout, biases_of, layout, weights_of
from chainrule.networks._learned import check_learned, slope_formulas
from chainrule.networks._prediction import Predictors
from chainrule.networks._program import Program, program
from chainrule.networks.on_paper._network import propagation

if TYPE_CHECKING:
    from chainrule.networks.on_paper._equations import Propagation

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True, eq=False)
class Network:
    """A feedforward network.

    Layer `l` computes ``Z = A @ W + b`` and ``A = g(Z)``; rows are examples, so a layer's weights
    have shape (inputs, outputs).

    Parameters
    ----------
    sizes : tuple of int
        The number of inputs, then the number of units of every layer.
    activations : tuple of Formula
        One for each layer; the last is the output activation.
    cost : Formula
        The cost of one example, in the output `a` and the target `y`.
    parameters : ndarray
        The weights of all layers, then the biases of all layers, the scales of normalised layers,
        and the learned parameters of activations, in one vector of float32 or float64. It is made
        read-only.
    normalisations : tuple of {"", "layer", "batch"}
        How each layer normalises ``A @ W`` before its scales and biases; empty for none. The
        output layer does not.
    learned : tuple of tuple of str
        For each layer, the parameters of its activation that are learned; empty for none.
    statistics : ndarray, optional
        The running means and variances of each layer that is normalised over the batch.
    blocks : tuple of int
        How many units each block of the output layer has; empty for one block of all. The output
        activation works on each block by itself, a softmax normalises it alone, and the cost of an
        example is the sum of the costs of its blocks.
    """

    sizes: tuple[int, ...]
    activations: tuple[Formula, ...]
    cost: Formula
    parameters: NDArray[np.floating[Any]]
    normalisations: tuple[str, ...] = ()
    learned: tuple[tuple[str, ...], ...] = ()
    statistics: NDArray[np.floating[Any]] | None = None
    blocks: tuple[int, ...] = ()
    own_parameters: NDArray[np.floating[Any]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_architecture(self.sizes, self.activations)
        layers = len(self.activations)
        object.__setattr__(self, "normalisations", self.normalisations or ("",) * layers)
        object.__setattr__(self, "learned", self.learned or ((),) * layers)
        object.__setattr__(self, "blocks", self.blocks or self.sizes[-1:])
        check_normalisations(self.normalisations, layers)
        check_learned(self.learned, layers)
        check_blocks(self.blocks, self.sizes[-1])
        self._take(self.parameters, self.statistics)

    def _take(
        self,
        given: NDArray[np.floating[Any]],
        statistics: NDArray[np.floating[Any]] | None,
    ) -> None:
        """Check and copy what differs between networks of one architecture."""
        parameters = np.asarray(given)
        expected = self.layout.size
        if parameters.shape != (expected,):
            raise NetworkError(
                f"layers of {self.sizes} units have {expected} parameters; "
                f"the given array has shape {parameters.shape}"
            )
        if parameters.dtype not in _DTYPES:
            raise NetworkError(
                f"parameters of dtype {parameters.dtype.name}; expected float32 or float64"
            )
        # The compiled functions are made for arrays that can be written, as a run's are.
        own = np.array(parameters)
        public = own.view()
        public.flags.writeable = False
        object.__setattr__(self, "own_parameters", own)
        object.__setattr__(self, "parameters", public)
        object.__setattr__(self, "statistics", statistics)
        object.__setattr__(self, "statistics", self.new_statistics())

    def new_statistics(self) -> NDArray[np.floating[Any]]:
        """Return a copy of the statistics: means of 0 and variances of 1 at first."""
        if self.statistics is None:
            statistics = np.ones(self.layout.statistics_size, self.dtype)
            for start, width in zip(self.layout.statistics, self.sizes[1:], strict=True):
                if start is not None:
                    statistics[start : start + width] = 0.0
        else:
            statistics = np.array(self.statistics, self.dtype)
        if statistics.shape != (self.layout.statistics_size,):
            raise NetworkError(
                f"the statistics must have shape ({self.layout.statistics_size},), got "
                f"{statistics.shape}"
            )
        return statistics

    @cached_property
    def layout(self) -> Layout:
        """Where everything lies in the vector of parameters."""
        return layout(self.sizes, self.normalisations, self.learned)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of parameters, activations and gradients."""
        return self.parameters.dtype

    @property
    def weights(self) -> tuple[NDArray[np.floating[Any]], ...]:
        """The weights of each layer, (inputs, outputs), as views of the parameters."""
        return weights_of(self.parameters, self.sizes)

    @property
    def biases(self) -> tuple[NDArray[np.floating[Any]], ...]:
        """The biases of each layer, as views of the parameters."""
        return biases_of(self.parameters, self.sizes)

    @cached_property
    def program(self) -> Program:
        """The compiled activations, as the propagation calls them."""
        return program(
            self.sizes, self.activations, self.dtype.name, self.normalisations, self.learned,
            self.blocks,
        )  # fmt: skip

    @cached_property
    def predictors(self) -> Predictors:
        """What is kept ready to propagate rows."""
        return Predictors(self.program, self.own_parameters, self.new_statistics())

    def __call__(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the output activations.

        Parameters
        ----------
        X : array-like of shape (examples, inputs)
            Converted to the network's dtype.

        Returns
        -------
        ndarray of shape (examples, outputs)

        Examples
        --------
        >>> net = network((4, 8, 1), ("tanh", "identity"), "half_squared_error", rng=0)
        >>> net(np.ones((3, 4))).shape
        (3, 1)
        """
        inputs, outputs = self._rows(X)
        self.predictors.run(inputs, outputs)
        return outputs

    def pre_activations(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the pre-activations of the output layer, (examples, outputs).

        What is computed from them stays finite where an output rounds to 0 or 1.

        Parameters
        ----------
        X : array-like of shape (examples, inputs)
            Converted to the network's dtype.

        Examples
        --------
        >>> net = network((4, 2), ("softmax",), "categorical_cross_entropy", rng=0)
        >>> bool((net.pre_activations(np.zeros((3, 4))) == net.biases[0]).all())
        True
        """
        return self.output_layer(X)[0]

    def output_layer(
        self, X: ArrayLike
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """Return the pre-activations and the activations of the output layer, by one propagation.

        Parameters
        ----------
        X : array-like of shape (examples, inputs)
            Converted to the network's dtype.

        Examples
        --------
        >>> net = network((4, 2), ("sigmoid",), "binary_cross_entropy", rng=0)
        >>> net.output_layer(np.zeros((1, 4)))
        (array([[0., 0.]]), array([[0.5, 0.5]]))
        """
        inputs, outputs = self._rows(X)
        pre_activations = np.empty_like(outputs)
        self.predictors.run(inputs, outputs, pre_activations)
        return pre_activations, outputs

    def _rows(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs as the predictors take them, and room for outputs."""
        own = self.own_parameters
        if (
            type(X) is np.ndarray
            and X.dtype is own.dtype
            and X.ndim == 2
            and X.shape[1] == self.sizes[0]
            and X.flags.c_contiguous
        ):
            inputs: NDArray[Any] = X
        else:
            inputs = as_rows(X, self.sizes[0], own.dtype, "X")
        return inputs, np.empty((inputs.shape[0], self.sizes[-1]), own.dtype)

    def with_parameters(
        self,
        parameters: NDArray[np.floating[Any]],
        statistics: NDArray[np.floating[Any]] | None = None,
    ) -> Network:
        """Return the same network with other parameters, and other statistics where given."""
        # Its parts were checked when this network was made.
        made = object.__new__(Network)
        made.__dict__.update(self.__dict__)
        made.__dict__.pop("predictors", None)
        if np.asarray(parameters).dtype != self.dtype:
            made.__dict__.pop("program", None)
        made._take(parameters, self.statistics if statistics is None else statistics)
        return made

    @property
    def learned_activations(self) -> tuple[Formula, ...]:
        """The activations with the values that their learned parameters have now."""
        return tuple(
            formula.with_parameters(
                **{
                    name: float(self.parameters[place])
                    for name, place in zip(names, places, strict=True)
                }
            )
            for formula, names, places in zip(
                self.activations, self.learned, self.layout.learned, strict=True
            )
        )

    def propagation(
        self,
        *,
        batch: int | None = None,
        axis: int = -1,
        penalty: float = 0.0,
        weighted: bool = False,
    ) -> Propagation:
        """Derive the equations of the network, forward and backward, with the actual shapes.

        Parameters
        ----------
        batch : int, optional
            The number of examples; None leaves it `m`.
        axis : {-1, 0}
            The axis of the units: -1 where rows are examples, as the program stores them, 0 where
            columns are.
        penalty : float
            Strength λ of a penalty λ/(2m)·Σ W² on the weights, as `alpha` is in training.
        weighted : bool
            Whether every example i has a weight s_i, as `sample_weight` gives it in training.

        Raises
        ------
        NetworkError
            The batch is no positive whole number, the axis is another, or the penalty is negative
            or not finite.

        Examples
        --------
        >>> net = network((4, 8, 1), ("tanh", "identity"), "half_squared_error", rng=0)
        >>> [section.title for section in net.propagation().sections][-2:]
        ['Backward, layer 1', 'Memory and operations']
        """
        return propagation(
            self.sizes, self.activations, self.cost,
            dtype=self.dtype, batch=batch, axis=axis, penalty=penalty, weighted=weighted,
            blocks=self.blocks,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        # Native addresses belong to one process; they are looked up again in the next.
        return Network, (
            self.sizes, self.activations, self.cost, self.parameters, self.normalisations,
            self.learned, self.statistics, self.blocks,
        )  # fmt: skip


def network(
    sizes: Sequence[int],
    activations: Sequence[Any],
    cost: Any,
    *,
    dtype: DTypeLike = np.float64,
    rng: np.random.Generator | int | None = None,
    normalisation: str | Sequence[str] = "",
    learned: Sequence[Sequence[str]] = (),
    blocks: Sequence[int] = (),
) -> Network:
    """Return a freshly initialised network.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, then the number of units of every layer.
    activations : sequence
        One for each layer, as a name, formula text, SymPy expression or `Formula`; the last is the
        output activation.
    cost : str, SymPy expression or Formula
        The cost of one example: a name, or a formula in the output `a` and the target `y`.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or int, optional
        Where the weights come from.
    normalisation : {"", "layer", "batch"} or sequence of these
        What the hidden layers normalise ``A @ W`` over, before scales and biases that are learned:
        the units of the layer [1]_ or the examples of the batch [2]_. A sequence names one for
        each hidden layer.
    learned : sequence of sequence of str
        For each layer, the parameters of its activation that are learned, starting from their
        values in the formula; empty for none.
    blocks : sequence of int
        How many units each block of the output layer has, as in `Network`: with the softmax, a
        choice among so many classes for each.

    References
    ----------
    .. [1] J. Ba, J. Kiros, G. Hinton, "Layer normalization", 2016.
    .. [2] S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.

    Examples
    --------
    >>> net = network((4, 8, 1), ("tanh", "identity"), "half_squared_error", rng=0)
    >>> [weights.shape for weights in net.weights]
    [(4, 8), (8, 1)]
    >>> net = network((4, 5), ("softmax",), "categorical_cross_entropy", rng=0, blocks=(2, 3))
    >>> net(np.zeros((1, 4))).round(3)
    array([[0.5  , 0.5  , 0.333, 0.333, 0.333]])
    """
    formulas = tuple(activation_formula(activation) for activation in activations)
    layers = tuple(sizes)
    check_architecture(layers, formulas)
    kind = np.dtype(dtype)
    if kind not in _DTYPES:
        raise NetworkError(f"networks are float32 or float64, not {kind.name}")
    hidden = len(layers) - 2
    named = [normalisation] * hidden if isinstance(normalisation, str) else list(normalisation)
    kinds = (*named, "")
    names = tuple(tuple(own) for own in learned) or ((),) * len(formulas)
    check_normalisations(kinds, len(formulas))
    check_learned(names, len(formulas))
    for formula, own in zip(formulas, names, strict=True):
        slope_formulas(formula, own, kind.name)
    parameters = initial_parameters(layers, formulas, kind, np.random.default_rng(rng))
    scales = np.ones(sum(width for of, width in zip(kinds, layers[1:], strict=True) if of), kind)
    start = [
        dict(own.parameters)[n] for own, some in zip(formulas, names, strict=True) for n in some
    ]
    everything = np.concatenate([parameters, scales, np.array(start, kind)])
    return Network(
        layers, formulas, cost_formula(cost), everything, kinds, names, blocks=tuple(blocks)
    )
