"""Optimisers: rules that turn gradients into steps of the parameters.

The compiled step knows each by its `code`; `states` tells how many vectors as long as the
parameters it remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.networks.compiled import steps


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

    states: ClassVar[int] = 1

    @property
    def code(self) -> int:
        """The number under which the compiled step knows it."""
        return steps.NESTEROV if self.nesterov and self.momentum else steps.SGD

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return steps.settings(keep=self.momentum)


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

    code: ClassVar[int] = steps.ADAM
    states: ClassVar[int] = 2

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return steps.settings(self.beta_1, self.beta_2, self.epsilon)


@dataclass(frozen=True)
class AdamW:
    r"""Adam whose decay of the weights stands apart from the gradient [1]_.

    .. math:: \theta \leftarrow (1 - \eta\lambda)\,\theta - \text{Adam's step}

    Only weights decay; biases and scales do not.

    Parameters
    ----------
    learning_rate : float
        The step's size :math:`\eta`.
    weight_decay : float
        The strength :math:`\lambda` of the decay.
    beta_1, beta_2, epsilon : float
        As in `Adam`.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    code: ClassVar[int] = steps.ADAM
    states: ClassVar[int] = 2

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return steps.settings(self.beta_1, self.beta_2, self.epsilon, self.weight_decay)


@dataclass(frozen=True)
class RMSprop:
    r"""Steps divided by the root of the gradient's mean square [1]_, with momentum.

    .. math::

        v \leftarrow \beta v + (1 - \beta) g^2, \qquad
        m \leftarrow \mu m + \frac{g}{\sqrt v + \epsilon}, \qquad
        \theta \leftarrow \theta - \eta m

    Parameters
    ----------
    learning_rate : float
        The step's size :math:`\eta`.
    beta : float
        How slowly the mean square forgets.
    momentum : float
        The share :math:`\mu` of the last step that is kept.
    epsilon : float
        Keeps the quotient finite.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton, "Lecture 6.5: rmsprop", Neural networks for machine learning,
       2012.
    """

    learning_rate: float = 1e-3
    beta: float = 0.99
    momentum: float = 0.0
    epsilon: float = 1e-8

    code: ClassVar[int] = steps.RMSPROP
    states: ClassVar[int] = 2

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return steps.settings(self.momentum, self.beta, self.epsilon)


@dataclass(frozen=True)
class Muon:
    r"""Momentum made nearly orthogonal, for the matrices that lead to hidden units [1]_.

    .. math::

        m \leftarrow \mu m + g, \qquad
        W \leftarrow (1 - \eta\lambda)\,W
        - 0.2\,\eta\sqrt{\max(n_{in}, n_{out})}\; U V^T, \qquad U S V^T = g + \mu m

    The orthogonal factor is approximated by five steps of a quintic iteration; the factor before
    it gives steps the size of Adam's [2]_, so that one learning rate serves all parameters. The
    weights of the output layer, biases and the rest are moved by `AdamW`.

    Parameters
    ----------
    learning_rate : float
        The step's size :math:`\eta`.
    momentum : float
        The share :math:`\mu` of the last direction that is kept.
    weight_decay : float
        The strength :math:`\lambda` of the decay of weights, apart from the gradient.
    beta_1, beta_2, epsilon : float
        Of Adam's steps.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    .. [2] J. Liu et al., "Muon is scalable for LLM training", 2025, section 2.2.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.95
    weight_decay: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    code: ClassVar[int] = steps.MUON
    states: ClassVar[int] = 2

    @property
    def settings(self) -> NDArray[np.float64]:
        """Its numbers, in the order in which the compiled step reads them."""
        return steps.settings(
            self.beta_1, self.beta_2, self.epsilon, self.weight_decay, self.momentum
        )


Optimiser = GradientDescent | Adam | AdamW | RMSprop | Muon
