"""What the machine runs: stable evaluation, generated source, native code."""

from importlib import import_module
from typing import TYPE_CHECKING

from chainrule.kernels._call import call_kernel as call_kernel
from chainrule.kernels._call import call_kernel_of_two as call_kernel_of_two
from chainrule.kernels._cost_kernels import CostKernels as CostKernels
from chainrule.kernels._cost_kernels import cost_kernels as cost_kernels
from chainrule.kernels._digest import code_digest as code_digest
from chainrule.kernels._kernels import ActivationKernels as ActivationKernels
from chainrule.kernels._kernels import Kernel as Kernel
from chainrule.kernels._kernels import activation_kernels as activation_kernels
from chainrule.kernels._kernels import exactly as exactly
from chainrule.kernels._kernels import output_kernel as output_kernel
from chainrule.kernels.compiling._compile import CacheError as CacheError
from chainrule.kernels.compiling._compile import cache_folder as cache_folder
from chainrule.kernels.compiling._compile import kept_answer as kept_answer
from chainrule.kernels.running._processors import available_processors as available_processors

if TYPE_CHECKING:
    from chainrule.kernels._arrays import ArrayError as ArrayError
    from chainrule.kernels._arrays import ArrayFunctions as ArrayFunctions
    from chainrule.kernels._arrays import NoSlopeError as NoSlopeError
    from chainrule.kernels._arrays import array_functions as array_functions
    from chainrule.kernels._arrays import as_float_array as as_float_array
    from chainrule.kernels._arrays import backward as backward
    from chainrule.kernels._arrays import backward_from_output as backward_from_output
    from chainrule.kernels._arrays import forward as forward
    from chainrule.kernels._arrays import value_and_gradient as value_and_gradient

# What calls kernels over arrays of any shape takes a second to compile; training does without.
_OVER_ARRAYS = (
    "ArrayError",
    "ArrayFunctions",
    "NoSlopeError",
    "array_functions",
    "as_float_array",
    "backward",
    "backward_from_output",
    "forward",
    "value_and_gradient",
)


def __getattr__(name: str) -> object:
    if name not in _OVER_ARRAYS:
        raise AttributeError(f"module 'chainrule.kernels' has no attribute {name!r}")
    return getattr(import_module("chainrule.kernels._arrays"), name)
