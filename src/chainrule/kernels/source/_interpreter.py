"""Generated source run without being compiled or executed: its tree is walked, in float64."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from chainrule.kernels.elementary.turns import exactly
from chainrule.kernels.source._joined_fits import value_at

Values = dict[str, Any]
Step = Callable[[Values], Any]

# NumPy's functions stand for ours.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "sign")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "tanh", "sin", "cos", "copysign")},
    "atan": np.arctan, "asinh": np.arcsinh, "erf": special.erf, "erfc": special.erfc,
    "erfcx": special.erfcx, "abs": abs, "power": np.power,
}  # fmt: skip
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.USub: operator.neg,
    ast.Not: operator.not_, ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge,
    ast.LtE: operator.le, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip


def interpreted(
    lines: Sequence[str], result: str, parameters: Mapping[str, float]
) -> Callable[[float], float]:
    """Return statements and an expression of generated source as a function of `z`.

    Parameters
    ----------
    lines : sequence of str
        Assignments to plain names.
    result : str
        An expression.
    parameters : mapping of str to float
        By the names that the source has for them.

    Examples
    --------
    >>> interpreted(["t = exp(-z)"], "1.0 / (1.0 + t)", {})(0.0)
    0.5
    """
    assignments = [_assignment(line) for line in lines]
    last = _step(ast.parse(result, mode="eval").body)
    known = {"inf": np.float64(np.inf), **{k: np.float64(v) for k, v in parameters.items()}}

    def run(z: float) -> float:
        values = {**known, "z": np.float64(z)}
        for name, step in assignments:
            values[name] = step(values)
        return float(last(values))

    return run


def _assignment(line: str) -> tuple[str, Step]:
    match ast.parse(line).body:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
            return name, _step(value)
    raise ValueError(line)


def _step(node: ast.expr) -> Step:
    match node:
        case ast.Constant(value=int() | float() as value):
            number = np.float64(value)
            return lambda values: number
        case ast.Attribute(value=ast.Name(id="np"), attr="nan"):
            return lambda values: np.float64(np.nan)
        case ast.Name(id=name):
            return lambda values: values[name]
        case ast.UnaryOp(op=op, operand=operand):
            return _applied(_OPERATORS[type(op)], operand)
        case ast.BinOp(left=left, op=op, right=right):
            return _applied(_OPERATORS[type(op)], left, right)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _applied(_OPERATORS[type(op)], left, right)
        case ast.BoolOp(op=op, values=parts):
            steps = [_step(part) for part in parts]
            combined = all if isinstance(op, ast.And) else any
            return lambda values: combined(step(values) for step in steps)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            condition, yes, no = _step(test), _step(body), _step(orelse)
            return lambda values: yes(values) if condition(values) else no(values)
        case ast.Call(
            func=ast.Name(id="sin_at" | "cos_at" as name),
            args=[ast.Constant(value=str() as line), argument],
        ):
            return _applied(exactly(name.removesuffix("_at"), line), argument)
        case ast.Call(func=ast.Name(id="fits_at"), args=[rows, argument]):
            return _applied(value_at(ast.literal_eval(rows)), argument)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            return _applied(FUNCTIONS[name], *arguments)
    raise ValueError(ast.unparse(node))


def _applied(function: Callable[..., Any], *arguments: ast.expr) -> Step:
    steps = [_step(argument) for argument in arguments]
    if len(steps) == 1:
        (only,) = steps
        return lambda values: function(only(values))
    return lambda values: function(*(step(values) for step in steps))
