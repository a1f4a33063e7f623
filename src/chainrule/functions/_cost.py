"""A cost: its formula, and its derivation behind an output activation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.catalogue import (
    activation_formula,
    assumption_on_targets,
    cost_formula,
    domain_of_targets,
)
from chainrule.formulas import Formula

if TYPE_CHECKING:
    from chainrule.certificates import Certificate
    from chainrule.derivations import CostDerivation


@dataclass(frozen=True)
class Cost:
    """The cost of one example, in its outputs `a` and targets `y`; J is its mean over a batch.

    Parameters
    ----------
    formula : Formula
        In `a` and `y`, with a reduction over the outputs.
    """

    formula: Formula

    def derivation(self, output_activation: Any, **parameters: float) -> CostDerivation:
        """Derive ∂J/∂Z of the cost behind an output activation.

        Parameters
        ----------
        output_activation : str, sympy.Expr, Formula or Activation
        **parameters : float
            Values of the output activation's parameters.

        Examples
        --------
        >>> import chainrule
        >>> derivation = chainrule.cost("binary_cross_entropy").derivation("sigmoid")
        >>> from chainrule.formulas import to_text
        >>> to_text(derivation.fused.by_preactivation)
        'a - y'
        """
        from chainrule.derivations import derive_cost
        from chainrule.functions._cost_page import cost_supplements

        activation = activation_formula(output_activation, **parameters)
        assumption, targets = assumption_on_targets(self.formula), domain_of_targets(self.formula)
        derived = derive_cost(activation, self.formula, assumption, targets)
        return replace(derived, supplements=cost_supplements)

    def certify(
        self, output_activation: Any, *, dtype: Any = np.float32, **parameters: float
    ) -> Certificate:
        """Measure the cost behind an output activation, and ∂J/∂z, against many digits.

        Parameters
        ----------
        output_activation : str, sympy.Expr, Formula or Activation
        dtype : dtype
            float32 or float64.
        **parameters : float
            Values of the output activation's parameters.

        Returns
        -------
        Certificate
            Worst errors in ulp, with the pre-activations and targets where they occur.

        Examples
        --------
        >>> import chainrule
        >>> chainrule.cost("huber").certify("identity").passed
        True
        """
        from chainrule.certificates import certify_cost

        activation = activation_formula(output_activation, **parameters)
        return certify_cost(
            activation,
            self.formula,
            assumption=assumption_on_targets(self.formula),
            targets=domain_of_targets(self.formula),
            dtype=dtype,
        )

    def __str__(self) -> str:
        name = self.formula.name
        return f"{name}: {self.formula}" if name else str(self.formula)


def cost(source: Any, **parameters: float) -> Cost:
    """Return a cost from a name, a formula in `a` and `y`, or a SymPy expression.

    Examples
    --------
    >>> import chainrule
    >>> print(chainrule.cost("sum(abs(a - y))"))
    sum(abs(a - y))
    """
    return Cost(cost_formula(source, **parameters))
