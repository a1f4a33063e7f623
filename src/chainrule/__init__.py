"""Feedforward networks from formulas: derived, proved, compiled, trained.

>>> import chainrule
>>> mish = chainrule.activation("z*tanh(log(1 + exp(z)))")
>>> print(mish)
z*tanh(log(1 + exp(z)))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from chainrule.formulas import ChainruleError as ChainruleError
from chainrule.formulas import Formula as Formula
from chainrule.formulas import FormulaError as FormulaError
from chainrule.formulas import ParameterError as ParameterError

if TYPE_CHECKING:
    from chainrule.estimators import FeedforwardClassifier as FeedforwardClassifier
    from chainrule.estimators import FeedforwardRegressor as FeedforwardRegressor
    from chainrule.estimators import load as load
    from chainrule.functions import Activation as Activation
    from chainrule.functions import Cost as Cost
    from chainrule.functions import activation as activation
    from chainrule.functions import cost as cost

__version__ = "0.1.0"

# SymPy, Numba and scikit-learn take seconds to import; they wait until something of theirs is used.
_ROOMS = {
    "Activation": "functions",
    "Cost": "functions",
    "activation": "functions",
    "cost": "functions",
    "FeedforwardClassifier": "estimators",
    "FeedforwardRegressor": "estimators",
    "load": "estimators",
}
__all__ = ["ChainruleError", "Formula", "FormulaError", "ParameterError", "__version__", *_ROOMS]


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    value = getattr(import_module(f"chainrule.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
