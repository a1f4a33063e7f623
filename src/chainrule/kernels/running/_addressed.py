"""Functions that compiled functions call by address: compiled when somebody first needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from chainrule.kernels._native import compiled


class Addressed:
    """A function that has no result, which compiled functions call by its address.

    Parameters
    ----------
    function : callable
        It raises nothing.
    kinds : callable
        Gives the types of its arguments, from the type of the elements that it works on.

    Attributes
    ----------
    call : callable
        For compiled functions: its arguments are any number of the elements' type, the address,
        and those of the function.
    """

    def __init__(self, function: Any, kinds: Callable[[Any], tuple[Any, ...]]) -> None:
        self.dispatcher = compiled(error_model="numpy")(function)
        self.kinds = kinds
        self.call = _call(kinds)

    def address(self, element: Any) -> int:
        """Return where the code lies for elements of a type, compiled if need be."""
        kinds = self.kinds(element)
        self.dispatcher.compile(kinds)
        result = self.dispatcher.overloads[kinds]
        return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def _call(kinds: Callable[[Any], tuple[Any, ...]]) -> Any:
    def typed(typing_context: Any, kind: Any, address: Any, *arguments: Any) -> Any:
        own = kinds(kind)
        return types.none(kind, types.intp, types.Tuple(own)), _generate

    return intrinsic(typed)


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    convention, kinds = context.call_conv, signature.args[2].types
    kind = convention.get_function_type(types.none, kinds)
    function = builder.inttoptr(arguments[1], kind.as_pointer())
    values = cgutils.unpack_tuple(builder, arguments[2], len(kinds))
    result = cgutils.alloca_once(builder, kind.args[0].pointee)
    failure = cgutils.alloca_once(builder, kind.args[1].pointee)
    packed = context.get_arg_packer(kinds).as_arguments(builder, values)
    builder.call(function, [result, failure, *packed])
    return context.get_dummy_value()
