"""Functions of generated source over NumPy arrays, operation by operation, without compiling them.

Most candidates for the arithmetic of a function are rejected for their rounding errors. To find
these a few thousand places suffice, and NumPy's operations round as the processor's do.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels.elementary import _words, tables
from chainrule.kernels.source._reading import EXACT

Array = NDArray[Any]
Names = Mapping[str, Any]

_ROOM = "chainrule.kernels.elementary"
_SPLITTER = 2.0**27 + 1.0  # halves the digits of a float64
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.USub: operator.neg,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift, ast.Not: np.logical_not,
    ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.And: np.logical_and, ast.Or: np.logical_or,
}  # fmt: skip


class NotEmulatedError(Exception):
    """The source has something in it that is only ever compiled."""


def emulated(source: str, function: str, z: Array, parameters: Sequence[float]) -> Array:
    """Return what a function of a generated module makes of an array.

    Parameters
    ----------
    source : str
        The module.
    function : str
        One of `z` and the parameters.
    z : ndarray
        In the format that the function takes.
    parameters : sequence of float

    Returns
    -------
    ndarray
        In the format of the function; products and sums have been rounded one by one, which
        compiled code may do at once.

    Raises
    ------
    NotEmulatedError
        If the function does what arrays cannot do.
    """
    tree = ast.parse(source)
    definitions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    known = {"abs": abs, "np": np, "inf": math.inf, "sign": np.sign, "sqrt": np.sqrt}
    known |= {"copysign": np.copysign, **definitions}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == _ROOM:
            known |= {alias.name: _imported(alias.name) for alias in node.names}
    try:
        values = [
            np.float64(value) if argument.arg.startswith(EXACT) else z.dtype.type(value)
            for argument, value in zip(definitions[function].args.args[1:], parameters, strict=True)
        ]
        with np.errstate(all="ignore"):
            for node in tree.body:
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=name)],
                        value=ast.Call(
                            func=ast.Attribute(value=ast.Name(id="tables" | "turns"))
                        ) as value,
                    ):
                        known[name] = _Evaluation(known).value(value, {})
            result = _Evaluation(known).called(definitions[function], [z, *values])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise NotEmulatedError(f"{function}: {error}") from error
    return np.broadcast_to(result, z.shape)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(f"{_ROOM}.{name}")
    except ModuleNotFoundError:
        return getattr(importlib.import_module(_ROOM), name)


class _Evaluation:
    """Walks trees, with the names that a module gives meaning."""

    def __init__(self, known: Names) -> None:
        self.known = known

    def called(self, function: ast.FunctionDef, arguments: Sequence[Any]) -> Any:
        names = [argument.arg for argument in function.args.args]
        local = dict(zip(names, arguments, strict=True))
        return self.run(function.body, local)

    def run(self, statements: Sequence[ast.stmt], local: dict[str, Any]) -> Any:
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    local[name] = self.value(value, local)
                case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                    parts = self.value(value, local)
                    names = (ast.unparse(target) for target in targets)
                    local |= dict(zip(names, parts, strict=True))
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    local[name] = self.value(value, local)
                case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                    local[name] = _OPERATORS[type(op)](local[name], self.value(value, local))
                case ast.Return(value=ast.expr() as value):
                    return self.value(value, local)
                case ast.If(test=ast.Name(id=name), body=body) if self.known[name]:
                    return self.run(body, local)
                case ast.If(test=ast.Name()) | ast.Expr(value=ast.Constant()):
                    pass
                case _:
                    raise NotEmulatedError(ast.unparse(statement))
        raise NotEmulatedError("no result")

    def value(self, node: ast.expr, local: dict[str, Any]) -> Any:
        def of(part: ast.expr) -> Any:
            return self.value(part, local)

        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return local[name] if name in local else self.known[name]
            case ast.Attribute(value=owner, attr=name):
                return getattr(of(owner), name)
            case ast.Tuple(elts=parts):
                return tuple(map(of, parts))
            case ast.Subscript(value=owner, slice=index):
                return of(owner)[of(index)]
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](of(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](of(left), of(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _OPERATORS[type(op)](of(left), of(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                result = of(first)
                for other in others:
                    result = _OPERATORS[type(op)](result, of(other))
                return result
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return _chosen(of(test), of(body), of(orelse))
            case ast.Call(func=function, args=arguments):
                values = [
                    value
                    for part in arguments
                    for value in (of(part.value) if isinstance(part, ast.Starred) else (of(part),))
                ]
                return self.call(of(function), values)
        raise NotEmulatedError(ast.unparse(node))

    def call(self, function: Any, arguments: list[Any]) -> Any:
        if isinstance(function, ast.FunctionDef):
            return self.called(function, arguments)
        if isinstance(function, type) and issubclass(function, np.generic):
            return np.asarray(*arguments).astype(function)[()]
        if hasattr(function, "py_func"):
            python = function.py_func
            return _Evaluation({"abs": abs, **python.__globals__}).called(_tree(python), arguments)
        if function is math.sqrt:
            return np.sqrt(*arguments)
        if function in _INTRINSICS:
            return _INTRINSICS[function](*arguments)
        match _made_of(function):
            case {"coefficients": coefficients}:
                return _polynomial(coefficients, *arguments)
            case {"rows": rows}:
                chosen = (_from_table(column, arguments[1]) for column in zip(*rows, strict=True))
                return _polynomial(tuple(chosen), arguments[0])
            case {"values": values}:
                return _from_table(values, *arguments)
        if callable(function):
            return function(*arguments)
        raise NotEmulatedError(str(function))


def _chosen(condition: Any, yes: Any, no: Any) -> Any:
    if isinstance(yes, tuple):
        return tuple(_chosen(condition, a, b) for a, b in zip(yes, no, strict=True))
    return np.where(condition, yes, no)[()]


@cache
def _tree(function: Any) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


@cache
def _made_of(function: Any) -> Names:
    """Return of what a function is made that is made where it is called: coefficients, tables."""
    typed = getattr(function, "_defn", None)
    inner = {} if typed is None else inspect.getclosurevars(typed).nonlocals
    return inspect.getclosurevars(inner["generate"]).nonlocals if "generate" in inner else {}


def _from_table(values: Sequence[float], index: Any) -> Any:
    places = np.minimum(index % tables.MOST, len(values) - 1)
    return np.asarray(values, np.float32)[places][()]


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    kind = x.dtype.type
    value = np.asarray(coefficients[-1]).astype(kind)[()]
    for coefficient in coefficients[-2::-1]:
        value = _fma(value, x, np.asarray(coefficient).astype(kind)[()])
    return value


def _fma(a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once but for the last bit of few results."""
    if np.result_type(a, b, c) == np.float32:
        return np.float32(np.float64(a) * np.float64(b) + np.float64(c))
    product = a * b
    a_high, b_high = (x * _SPLITTER - (x * _SPLITTER - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    lost = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    part = total - product
    lost = lost + ((product - (total - part)) + (c - part))
    return np.where(np.isfinite(lost), total + lost, total)[()]


def _to_bits(x: Any) -> Any:
    return x.view(np.int32 if x.dtype == np.float32 else np.int64)


def _to_float(bits: Any) -> Any:
    bits = np.asarray(bits)
    return bits.view(np.float32 if bits.dtype.itemsize == 4 else np.float64)[()]


_INTRINSICS: Mapping[Any, Callable[..., Any]] = {
    _words.fma: _fma,
    _words.float_to_bits: _to_bits,
    _words.bits_to_float: _to_float,
    _words.truncated: lambda x: x.astype(np.int32),
    _words.nearest_integer: np.rint,
    _words.with_sign_of: np.copysign,
    _words.times_power_of_two: lambda x, power: np.ldexp(x, power.astype(np.int32)),
    _words.larger: np.maximum,
    _words.smaller: np.minimum,
}
