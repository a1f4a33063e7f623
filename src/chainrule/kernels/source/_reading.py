"""Generated scalar functions, read back as mathematics: what is shown is what runs."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from chainrule.formulas import Apply, Constant, Expression, Parameter, Pi, Variable, substitute
from chainrule.kernels.source._joined_fits import is_joined
from chainrule.kernels.source._waves import with_plain_waves

RESULT = "return"
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.Gt: "greater", ast.Lt: "less", ast.GtE: "greater_equal",
    ast.LtE: "less_equal", ast.Eq: "equal", ast.NotEq: "not_equal",
}  # fmt: skip
_NOT = {"greater": "less_equal", "less": "greater_equal"}
# What differs from its first argument by rounding alone, and operations on pairs of numbers.
_SAME = ("lifted", "parts", "rounded", "lowered", "lowered_pair")
_PAIRS = {
    "add": "add", "add_smaller": "add", "subtract": "subtract", "subtract_smaller": "subtract",
    "product": "multiply", "scaled": "multiply", "multiply": "multiply", "doubled": "multiply",
    "divide": "divide", "divide_by_constant": "divide", "quotient": "divide",
}  # fmt: skip
_OF_PLACES = {
    "negate": "negate", "add": "add", "subtract": "subtract", "multiply": "multiply",
    "divide": "divide", "square_root": "sqrt",
}  # fmt: skip
EXACT = "exact_"  # before the name of a parameter that has not been rounded to float32
# An exponential times a power of two, and what undoes that.
_RAISED, _POWER = "_raised", "_power"
_SIDE = Apply("greater_equal", (Variable("z"), Constant(Fraction(0))))


@dataclass(frozen=True)
class Statement:
    """One line of a function: a name, and what it stands for in the names before it.

    Parameters
    ----------
    name : str
        ``return`` for the result.
    value : Expression
        Parameters appear as the variables that the source calls them.
    line : int
        Where it stands.
    """

    name: str
    value: Expression
    line: int


def read_body(body: Sequence[str]) -> tuple[Statement, ...]:
    """Read the assignments of a function's body, and its result; lines count from 0.

    Examples
    --------
    >>> from chainrule.formulas import to_text
    >>> for s in read_body(["t = exp(-z)", "return 1.0 / (1.0 + t)"]):
    ...     print(s.name, to_text(s.value))
    t exp(-z)
    return 1/(1 + t)
    """
    text = "\n".join(["def body():", *(f"    {line}" for line in body)])
    return tuple(
        Statement(s.name, s.value, s.line - 2) for s in read_functions(text, ("body",))["body"]
    )


def read_functions(source: str, names: Sequence[str]) -> dict[str, tuple[Statement, ...]]:
    """Read functions of a module; lines count from 1, as an editor shows them."""
    return {
        node.name: tuple(
            _statement(line) for line in node.body[_has_docstring(node) :] if not _is_help(line)
        )
        for node in with_plain_waves(ast.parse(source)).body
        if isinstance(node, ast.FunctionDef) and node.name in names
    }


def _has_docstring(node: ast.FunctionDef) -> bool:
    return ast.get_docstring(node) is not None


def _is_help(node: ast.stmt) -> bool:
    """Tell whether a line serves rounding, powers of two that cancel in the end, or other forms."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name.endswith((_RAISED, _POWER)) or name.startswith("p_") or is_joined(name)
    return False


def _statement(node: ast.stmt) -> Statement:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return Statement(name, _expression(value), node.lineno)
        case ast.Return(value=ast.expr() as value):
            return Statement(RESULT, _expression(value), node.lineno)
    raise ValueError(ast.unparse(node))


def assigned_names(source: str) -> tuple[tuple[int, str, str], ...]:
    """Return line, function and name of every assignment to a plain name, and of every result."""
    found = []
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)]):
                    found.append((node.lineno, function.name, name))
                case ast.Return():
                    found.append((node.lineno, function.name, RESULT))
    return tuple(sorted(found))


def _expression(node: ast.expr) -> Expression:
    match node:
        case ast.Constant(value=int() | float() as value):
            return Constant(Fraction(repr(value)))
        case ast.Name(id="pi"):
            return Pi()
        case ast.Name(id=name):
            name = name.removesuffix(_RAISED)
            return Variable(f"p_{name.removeprefix(EXACT)}" if name.startswith(EXACT) else name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _expression(operand)
            return Constant(-inner.value) if isinstance(inner, Constant) else _call("negate", inner)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _expression(operand)
            assert isinstance(inner, Apply)
            return Apply(_NOT[inner.operation], inner.arguments)
        case ast.BinOp(left=left, op=op, right=right):
            return _call(_OPERATORS[type(op)], _expression(left), _expression(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _call(_OPERATORS[type(op)], _expression(left), _expression(right))
        case ast.BoolOp(op=ast.Or(), values=[first, second]) if _asks_for_no_number(second):
            return _expression(first)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            if _asks_for_no_number(test):
                return _expression(orelse)
            if _is_near_zero(body) or _is_of_fits(body):
                return _expression(orelse)  # the same, in another form
            if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
                chosen, other = _expression(body), _expression(orelse)
                for part in reversed(test.values):
                    chosen = _call("where", _expression(part), chosen, other)
                return chosen
            condition = _expression(test)
            if isinstance(condition, Variable) and condition.name.startswith("is_far"):
                return _expression(orelse)  # the same, written over 1/z, or as good as it
            if isinstance(condition, Apply) and condition.arguments[1] in _LARGEST:
                return _expression(body)  # held below it: what it multiplies has vanished
            return _call("where", condition, _expression(body), _expression(orelse))
        case ast.Call(func=ast.Attribute(attr="float32" | "float64"), args=[inner]):
            return _expression(inner)
        case ast.Call(func=ast.Name(id="copysign"), args=[size, signed]):
            magnitude = _expression(size)
            condition = _call("greater_equal", _expression(signed), _ZERO)
            return _call("where", condition, magnitude, _call("negate", magnitude))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="thresholds"), attr=name), args=parts):
            places = [_expression(p.elts[0] if isinstance(p, ast.Tuple) else p) for p in parts]
            if name in _OF_PLACES:
                return _call(_OF_PLACES[name], *places)
            return places[0]  # a place, and a number beside it
        case ast.Call(func=ast.Attribute(value=ast.Name(id="pairs"), attr=name), args=arguments):
            if name in _SAME:
                return _expression(arguments[0])
            if name == "negate":
                return _call("negate", _expression(arguments[0]))
            name = name.removeprefix("bounded_")
            if name == "quotient_of_sum":
                above, *terms = map(_expression, arguments)
                return _call("divide", above, _call("add", *terms))
            if name == "square_root":
                return Apply("sqrt", tuple(map(_expression, arguments)))
            if name in _PAIRS:
                return _call(_PAIRS[name], *map(_expression, arguments))
            return Apply(_plain_name(name), tuple(map(_expression, arguments)))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="single"), attr=name), args=arguments):
            return Apply(_plain_name(name), tuple(map(_expression, arguments)))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments):
            return Apply(name, tuple(map(_expression, arguments)))
    raise ValueError(ast.unparse(node))


_ZERO = Constant(Fraction(0))
_LARGEST = (Constant(Fraction(10) ** 60), Constant(Fraction(10) ** 30))  # of either format


def _is_near_zero(node: ast.expr) -> bool:
    """Tell whether a value is that of a fit next to a zero, in one number or in two."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="pairs")), args=[inner]):
            return _is_near_zero(inner)
        case ast.Call(func=ast.Name(id=name)):
            return "_near_zero" in name
    return False


def _is_of_fits(node: ast.expr) -> bool:
    """Tell whether a value is that of joined fits."""
    return any(isinstance(part, ast.Name) and is_joined(part.id) for part in ast.walk(node))


def _plain_name(name: str) -> str:
    return name.removeprefix("raised_").removesuffix("_below_one")


def _asks_for_no_number(node: ast.expr) -> bool:
    """Tell whether a condition is ``x != x`` or ``x == inf``, which no number satisfies."""
    match node:
        case ast.Compare(left=ast.Name(id=x), ops=[ast.NotEq()], comparators=[ast.Name(id=y)]):
            return x == y
        case ast.Compare(ops=[ast.Eq()], comparators=[infinity]):
            return ast.unparse(infinity) in ("inf", "-inf")
    return False


def _call(operation: str, *arguments: Expression) -> Expression:
    return Apply(operation, arguments)


def displayed(e: Expression) -> Expression:
    """Return an expression of the source with parameters as such and signs as on paper."""

    def shown(part: Expression) -> Expression | None:
        match part:
            case Variable(name) if name.startswith("p_"):
                return Parameter(name[2:])
            case Apply("multiply", (x, Constant(value) as number)):
                inner = displayed(x)
                if value == 1:
                    return inner
                if value == -1:
                    return Apply("negate", (inner,))
                return Apply("multiply", (number, inner))
            case Apply("add", (x, Apply("multiply", (y, Constant(value))))) if value < 0:
                return displayed(_call("subtract", x, _call("multiply", y, Constant(-value))))
        return None

    return substitute(e, shown)


def on_side(e: Expression, *, right: bool) -> Expression:
    """Return an expression with every choice by the sign of z decided."""

    def decided(part: Expression) -> Expression | None:
        match part:
            case Apply("where", (condition, yes, no)) if condition == _SIDE:
                return on_side(yes if right else no, right=right)
        return None

    return substitute(e, decided)
