"""What a person holds: an activation or a cost with its derivation, kernels and certificate."""

from chainrule.functions._activation import Activation as Activation
from chainrule.functions._activation import activation as activation
from chainrule.functions._cost import Cost as Cost
from chainrule.functions._cost import cost as cost
