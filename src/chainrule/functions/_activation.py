"""An activation function: formula, derivation, kernels and certificate in one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.catalogue import activation_formula
from chainrule.formulas import Formula

if TYPE_CHECKING:
    from chainrule.certificates import Certificate, Sweep
    from chainrule.derivations import Derivation
    from chainrule.functions._ways_back import WayBack
    from chainrule.kernels import ArrayFunctions
    from chainrule.portraits import Portrait

Array = NDArray[Any]


@dataclass(frozen=True)
class Activation:
    """An activation function and its backward pass, derived from its formula.

    Parameters
    ----------
    formula : Formula
        In `z`, with the values of its parameters.

    Notes
    -----
    There are three ways back. What each keeps from the forward pass besides the output, which the
    next layer needs anyway, and what it costs:

    ====================== ======================= =============================================
    backward pass          keeps                   costs
    ====================== ======================= =============================================
    `backward`             `z`                     computes the slope again; keeps the gradient
    `backward_from_slope`  the slopes, which may   one product; element-wise functions only
                           overwrite `z`
    `backward_from_output` nothing; `z` may be     a few operations; where the output tells the
                           overwritten             slope, and has not rounded to a limit
    ====================== ======================= =============================================

    `ways_back` tells which of them a function has, and where the output tells the slope.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule
    >>> softplus = chainrule.activation("log(1 + exp(z))")
    >>> softplus(np.array([-1000.0, 0.0, 1000.0]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    >>> softplus.backward(np.ones(3), np.array([-40.0, 0.0, 40.0]))
    array([4.24835426e-18, 5.00000000e-01, 1.00000000e+00])
    """

    formula: Formula

    @cached_property
    def _arrays(self) -> ArrayFunctions:
        from chainrule.kernels import array_functions

        return array_functions(self.formula)

    def __reduce__(self) -> tuple[Any, ...]:
        # Native code has its place in one process only.
        return Activation, (self.formula,)

    def __call__(self, z: ArrayLike, *, axis: int = -1, out: Array | None = None) -> Array:
        """Return ``A = g(Z)``.

        Parameters
        ----------
        z : array_like of float32 or float64, any shape
            Pre-activations. Integers become float64; other types are refused.
        axis : int
            The axis of the units, which matters to layer-coupled functions only: -1 where rows
            are examples, 0 where columns are.
        out : ndarray, optional
            Receives the result; of the shape and dtype of `z`. It may be `z` itself.

        Returns
        -------
        ndarray
            Of the shape and dtype of `z`. In float32 the cheapest arithmetic that keeps values
            within 2 ulp and slopes within 4 computes it. NaN gives NaN; ±inf gives the limit where
            the formula's stable form has one, and so does a place at which an element-wise formula
            divides 0 by 0 and both sides tend to the same number, as ``sin(z)/z`` at 0.
        """
        return self._arrays.forward(z, axis, out)

    def backward(
        self, da: ArrayLike, z: ArrayLike, *, axis: int = -1, out: Array | None = None
    ) -> Array:
        """Return ``∂J/∂Z`` from ``∂J/∂A`` and the pre-activations; it keeps the gradient.

        Parameters
        ----------
        da : array_like
            ∂J/∂A, of the shape and dtype of `z`.
        z : array_like of float32 or float64, any shape
        axis : int
            The axis of the units.
        out : ndarray, optional
            Receives the result. It may be `da` or `z` itself.

        Returns
        -------
        ndarray
            At a kink the slope that the derivation states is taken.
        """
        return self._arrays.backward(da, z, axis, out)

    def forward_with_slope(
        self, z: ArrayLike, *, out: Array | None = None, slope_out: Array | None = None
    ) -> tuple[Array, Array]:
        """Return ``A = g(Z)`` and ``g'(Z)`` in one pass, for `backward_from_slope`.

        Value and slope share their exponentials, so that both together cost little more than one.
        Of an element-wise function only. Between the passes the slopes are kept instead of `z`.

        Parameters
        ----------
        z : array_like of float32 or float64, any shape
        out : ndarray, optional
            Receives the activations. It may be `z` itself.
        slope_out : ndarray, optional
            Receives the slopes. It may be `z` itself, whose memory then serves for both passes.

        Returns
        -------
        a, slope : ndarray
            As `__call__` and the derivative inside `backward` would give them, rounded to the
            dtype: a slope below its smallest normal number keeps fewer digits than in `backward`.

        Raises
        ------
        NoSlopeError
            The function couples the units of a layer.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule
        >>> tanh, z = chainrule.activation("tanh"), np.array([0.0, 1.0])
        >>> a, slope = tanh.forward_with_slope(z, slope_out=z)
        >>> tanh.backward_from_slope(np.ones(2), slope)
        array([1.        , 0.41997434])
        """
        return self._arrays.forward_with_slope(z, out, slope_out)

    def backward_from_slope(
        self, da: ArrayLike, slope: ArrayLike, *, out: Array | None = None
    ) -> Array:
        """Return ``∂J/∂Z = ∂J/∂A ⊙ g'(Z)`` from the slopes that `forward_with_slope` has kept.

        Parameters
        ----------
        da, slope : array_like
            Of one shape and dtype.
        out : ndarray, optional
            Receives the result. It may be `da` or `slope` itself.
        """
        return self._arrays.backward_from_slope(da, slope, out)

    def backward_from_output(
        self, da: ArrayLike, a: ArrayLike, *, axis: int = -1, out: Array | None = None
    ) -> Array:
        """Return ``∂J/∂Z`` from ``∂J/∂A`` and the activations alone, where that form exists.

        It saves the memory of `z`; where `a` rounds to a limit of the function, the gradient is
        lost (the sigmoid's from z = 17 in float32 on).

        Raises
        ------
        NoOutputFormError
            With the reason, where the output does not determine the derivative.
        """
        return self._arrays.backward_from_output(da, a, axis, out)

    def ways_back(self, *, dtype: Any = np.float32) -> tuple[WayBack, ...]:
        """Return the backward passes: what each keeps in memory, and where it keeps the slope.

        Parameters
        ----------
        dtype : dtype
            float32 or float64.

        Returns
        -------
        tuple of WayBack
            Of `backward`, `backward_from_slope` and `backward_from_output`; one that this function
            does not have says why.

        Examples
        --------
        >>> import chainrule
        >>> for way in chainrule.activation("softplus").ways_back():
        ...     print(way)
        backward: keeps z; every slope keeps its digits
        backward_from_slope: keeps the slopes, in place of z; every slope keeps its digits
        backward_from_output: keeps nothing; every slope keeps its digits
        """
        from chainrule.functions._ways_back import ways_back

        return ways_back(self.formula, dtype)

    def jacobian(self, z: ArrayLike) -> Array:
        """Return ``∂a_p/∂z_j`` of every example, from the backward kernel.

        Parameters
        ----------
        z : array_like of float32 or float64, (n,) or (..., n)
            Pre-activations; the last axis is that of the units.

        Returns
        -------
        ndarray of shape (..., n, n)
            Row p, column j. Diagonal for element-wise functions.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule
        >>> chainrule.activation("softmax").jacobian(np.zeros(2))
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
        z = np.asarray(z)
        units = np.eye(z.shape[-1], dtype=z.dtype if z.dtype.kind == "f" else np.float64)
        rows = [self.backward(np.broadcast_to(unit, z.shape), z) for unit in units]
        return np.stack(rows, axis=-2)

    def derivation(self) -> Derivation:
        """Return the derivation of the backward pass: print it, or ask for LaTeX or HTML."""
        return _derivation(self.formula, self.formula.name)

    def certify(self, *, dtype: Any = np.float32) -> Certificate:
        """Measure value and derivative against a reference of many digits.

        Parameters
        ----------
        dtype : dtype
            float32 or float64.

        Returns
        -------
        Certificate
            Worst errors in ulp with their inputs, behaviour at ±0, ±inf and NaN, and a
            central-difference check of the backward pass.
        """
        from chainrule.certificates import certify

        return certify(self.formula, dtype=dtype)

    def sweep(self) -> Sweep:
        """Compare value and derivative with the truth at every float32 there is.

        Takes a minute or so, on all processors; of element-wise functions only.
        """
        from chainrule.certificates import sweep

        return sweep(self.formula)

    def portrait(self) -> Portrait:
        """Return what the function does, statement by statement: proved, or not settled.

        Returns
        -------
        Portrait
            Of an element-wise function its domain, symmetry, range, slopes, zeros and what a layer
            with it does to mean and variance; of a layer-coupled one its invariances, sums, range
            and what follows for its Jacobian.

        Examples
        --------
        >>> import chainrule
        >>> drawn = chainrule.activation("selu").portrait()
        >>> print(drawn.about("fixed point of mean and variance")[1].text)
        no other with 0.01 ≤ ν ≤ 100
        """
        from chainrule.portraits import portrait

        return portrait(self.formula)

    def source(self, *, dtype: Any = np.float32) -> str:
        """Return the generated source of the forward and backward kernels."""
        from chainrule.kernels import activation_kernels

        return activation_kernels(self.formula, dtype).source

    def __str__(self) -> str:
        name = self.formula.name
        return f"{name}: {self.formula}" if name else str(self.formula)

    def _repr_html_(self) -> str:
        return self.derivation()._repr_html_()


@lru_cache(maxsize=256)
def _derivation(formula: Formula, name: str) -> Derivation:
    # Formulas are equal whatever their names; a derivation shows the name.
    from chainrule.derivations import derive
    from chainrule.functions._supplements import supplements

    return replace(derive(formula), supplements=supplements)


def activation(source: Any, **parameters: float) -> Activation:
    """Return an activation function from a name, a formula or a SymPy expression.

    Parameters
    ----------
    source : str, sympy.Expr, Formula or Activation
        A name of the catalogue (``"mish"``), a formula in `z` (``"z/(1 + exp(-z))"``), or a SymPy
        expression. Text is parsed, never executed.
    **parameters : float
        A value for every parameter of the formula; named functions have defaults.

    Returns
    -------
    Activation

    Raises
    ------
    FormulaError
        The text is not in the formula language; the message points at the place.
    ParameterError
        A parameter lacks a value, is unknown, or is not a finite real number.
    CatalogueError
        The name is unknown.

    Examples
    --------
    >>> import chainrule
    >>> leaky = chainrule.activation("max(alpha*z, z)", alpha=0.01)
    >>> leaky([-1.0, 2.0])
    array([-0.01,  2.  ])
    """
    return Activation(activation_formula(source, **parameters))
