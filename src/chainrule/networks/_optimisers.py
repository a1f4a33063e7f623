"""Optimisers: rules that turn gradients into steps of the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.networks import _compiled


@dataclass(frozen=True)
class GradientDescent:
    r"""Stochastic gradient descent with momentum.

    .. math:: v \leftarrow \mu v - \eta g, \qquad \theta \leftarrow \theta + v

    and with Nesterov's momentum [1]_ :math:`\theta \leftarrow \theta + \mu v - \eta g`.

    Parameters
    ----------
    learning_rate : float
        The step's size :math:`\eta`.
    momentum : float
        The share :math:`\mu` of the last step that is kept.
    nesterov : bool
        Whether the gradient acts as if taken one step ahead.

    References
    ----------
    .. [1] I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and
       momentum in deep learning", ICML 2013, in the form of its section 3 for stored gradients.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = True

    @property
    def code(self) -> int:
        """The number under which the compiled step knows it."""
        return _compiled.NESTEROV if self.nesterov and self.momentum else _compiled.SGD

    @property
    def states(self) -> int:
        """How many vectors as long as the parameters it remembers."""
        return 1

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return np.array([self.momentum, 0.0, 0.0])


@dataclass(frozen=True)
class Adam:
    r"""Adam: steps scaled by running means of the gradient and of its square [1]_.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        \theta &\leftarrow \theta
        - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m}{\sqrt v + \epsilon}

    Parameters
    ----------
    learning_rate : float
        The step's size :math:`\eta`.
    beta_1, beta_2 : float
        How slowly the running means forget.
    epsilon : float
        Keeps the quotient finite.

    References
    ----------
    .. [1] D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; the order of
       computation at the end of its section 2.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    @property
    def code(self) -> int:
        """The number under which the compiled step knows it."""
        return _compiled.ADAM

    @property
    def states(self) -> int:
        """How many vectors as long as the parameters it remembers."""
        return 2

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return np.array([self.beta_1, self.beta_2, self.epsilon])


Optimiser = GradientDescent | Adam
