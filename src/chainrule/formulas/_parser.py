"""The parser: text of the formula language to an expression, through a whitelist over ``ast``.

Nothing that is typed is ever executed: Python's own parser yields a syntax tree, and every kind of
tree node that is not listed here is an error that points at its column. Length, nesting and the
size of numbers are bounded, so that no text can keep the process busy.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from chainrule.formulas._errors import FormulaError
from chainrule.formulas._expression import (
    FUNCTIONS,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
    Variable,
    variables_of,
)
from chainrule.formulas._names import LANGUAGE_WORDS, refusal_of_parameter
from chainrule.formulas._remedies import TYPESET, remedy_for, syntax_remedy

MAXIMUM_LENGTH = 2000
MAXIMUM_NESTING = 50
_LARGEST_EXPONENT = 300
_NUMBER_BITS = 1000

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: "greater",
    ast.Lt: "less",
    ast.GtE: "greater_equal",
    ast.LtE: "less_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_COMPARISON_WORDS = frozenset(_COMPARISONS.values())
_EXPECTED = (
    f"Functions of one argument: {' '.join(FUNCTIONS)}; of two: max min; where(condition, x, y); "
    f"over the units: {' '.join(REDUCTIONS)} of one argument."
)
_CALLABLE = LANGUAGE_WORDS - {"pi"}


def parse_expression(text: str, variables: tuple[str, ...]) -> Expression:
    """Parse text of the formula language; names outside `variables` become parameters."""
    if not isinstance(text, str):
        raise FormulaError(
            f"a formula is text or a SymPy expression, not {type(text).__name__}",
            remedy='Write it the way it stands in a paper, such as "z/(1 + exp(-z))".',
        )
    _check_extent(text)
    readable = re.sub(r"\s", " ", text)
    stripped = readable.strip()
    offset = len(readable) - len(readable.lstrip())
    tree = _syntax_tree(stripped, text, offset)
    _check_nesting(tree, text)
    return _Reader(text, stripped, offset, variables).value(tree)


def _check_extent(text: str) -> None:
    if not text.strip():
        raise FormulaError(
            "the formula is empty", remedy='Expected an expression in z, such as "max(0, z)".'
        )
    if len(text) > MAXIMUM_LENGTH:
        raise FormulaError(
            f"the formula has {len(text):,} characters; at most {MAXIMUM_LENGTH:,} are read",
            remedy="Shorten it, or give repeated numbers a name and pass them as parameters.",
        )
    depth = 0
    for column, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth > MAXIMUM_NESTING:
            raise FormulaError(
                f"brackets are nested more than {MAXIMUM_NESTING} deep", text, column,
                "Remove the brackets that change nothing.",
            )  # fmt: skip
        if character in TYPESET:
            raise FormulaError(
                f"the character {character!r} is not in the formula language", text, column,
                TYPESET[character],
            )  # fmt: skip
        if character in "#;\\\x00" or not (character.isprintable() or character.isspace()):
            raise FormulaError(
                f"the character {character!r} is not in the formula language", text, column,
                "Remove it: a formula is one expression, without comments.",
            )  # fmt: skip


def _syntax_tree(stripped: str, text: str, offset: int) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        column = offset + max((error.offset or 1) - 1, 0)
        problem = (error.msg or "invalid syntax").removesuffix(". Perhaps you forgot a comma?")
        remedy = syntax_remedy(stripped, problem)
        raise FormulaError(f"this is not an expression: {problem}", text, column, remedy) from None
    except (MemoryError, RecursionError, ValueError):
        raise FormulaError(
            "the formula is nested too deeply to be read",
            remedy=f"At most {MAXIMUM_NESTING} levels are read.",
        ) from None


def _check_nesting(tree: ast.expr, text: str) -> None:
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > 2 * MAXIMUM_NESTING:
            raise FormulaError(
                f"the expression is nested more than {2 * MAXIMUM_NESTING} levels deep",
                text,
                getattr(level[0], "col_offset", 0),
                "Write it with fewer operations, or split long sums with brackets.",
            )
        level = [child for node in level for child in ast.iter_child_nodes(node)]


class _Reader:
    """Turns syntax-tree nodes into expressions; knows the text, to point into it."""

    def __init__(self, text: str, stripped: str, offset: int, variables: tuple[str, ...]) -> None:
        self.text = text
        self.encoded = stripped.encode()
        self.offset = offset
        self.variables = variables

    def error(self, problem: str, node: ast.expr, remedy: str) -> FormulaError:
        # ast counts bytes of UTF-8, a reader counts characters.
        column = len(self.encoded[: node.col_offset].decode(errors="replace"))
        return FormulaError(problem, self.text, self.offset + column, remedy)

    def value(self, node: ast.expr) -> Expression:
        """Read a number-valued expression."""
        expression = self.any(node)
        if isinstance(expression, Apply) and expression.operation in _COMPARISON_WORDS:
            raise self.error(
                "a comparison is a condition, not a number", node,
                "Write where(condition, x, y), such as where(z > 0, z, 0).",
            )  # fmt: skip
        return expression

    def any(self, node: ast.expr) -> Expression:
        match node:
            case ast.Constant():
                return self.number(node)
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                if isinstance(inner, Constant):
                    return Constant(-inner.value)
                return Apply("negate", (inner,))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.BinOp():
                return self.binary(node)
            case ast.Compare():
                return self.comparison(node)
            case ast.Call():
                return self.call(node)
            case _:
                raise self.unexpected(node)

    def number(self, node: ast.Constant) -> Expression:
        source = (self.encoded[node.col_offset : node.end_col_offset]).decode(errors="replace")
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.error(
                f"{source[:30]} is not a number of the formula language", node,
                "Expected a decimal number, such as 2, 0.5 or 1e-3.",
            )  # fmt: skip
        try:
            decimal = Decimal(source)
        except InvalidOperation:
            raise self.error(
                f"{source[:30]} is not a decimal number", node, "Write it in decimal digits."
            ) from None
        if decimal and abs(decimal.adjusted()) > _LARGEST_EXPONENT:
            raise self.error(
                f"{source[:30]} is out of range", node,
                f"Numbers lie between 1e-{_LARGEST_EXPONENT} and 1e{_LARGEST_EXPONENT}.",
            )  # fmt: skip
        return Constant(Fraction(decimal))

    def name(self, node: ast.Name) -> Expression:
        if node.id == "pi":
            return Pi()
        if node.id in self.variables:
            return Variable(node.id)
        if node.id in _CALLABLE:
            raise self.error(
                f"{node.id} is a function and needs its arguments", node, f"Write {node.id}(...)."
            )
        refusal = refusal_of_parameter(node.id)
        if refusal is not None:
            raise self.error(refusal[0], node, refusal[1])
        return Parameter(node.id)

    def binary(self, node: ast.BinOp) -> Expression:
        operation = _BINARY.get(type(node.op))
        if operation is None:
            remedy = (
                "Write x**2 for a power."
                if isinstance(node.op, ast.BitXor)
                else "Expected one of + - * / **."
            )
            raise self.error("this operator is not in the formula language", node, remedy)
        left, right = self.value(node.left), self.value(node.right)
        if operation == "divide" and isinstance(right, Constant) and right.value == 0:
            raise self.error("division by zero", node, "Give a divisor other than 0.")
        if isinstance(left, Constant) and isinstance(right, Constant):
            return self.folded(node, operation, left.value, right.value)
        return Apply(operation, (left, right))

    def folded(self, node: ast.BinOp, operation: str, x: Fraction, y: Fraction) -> Expression:
        """Compute exact arithmetic of two numbers; keep roots such as ``2**0.5`` as they stand."""
        if operation == "power" and x == 0 and y < 0:
            raise self.error("division by zero", node, "Give a divisor other than 0.")
        if operation == "power":
            if y.denominator != 1:
                if x < 0:
                    raise self.error(
                        "a fractional power of a negative number is not real", node,
                        "Give a base of at least 0.",
                    )  # fmt: skip
                return Apply("power", (Constant(x), Constant(y)))
            bits = max(x.numerator.bit_length(), x.denominator.bit_length())
            if abs(y) * bits > _NUMBER_BITS:
                raise self.error(
                    "this power is too large a number", node,
                    f"Numbers of the formula language stay below 1e{_LARGEST_EXPONENT}.",
                )  # fmt: skip
            return Constant(x ** int(y))
        value = {
            "add": lambda: x + y,
            "subtract": lambda: x - y,
            "multiply": lambda: x * y,
            "divide": lambda: x / y,
        }[operation]()
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > _NUMBER_BITS:
            raise self.error(
                "this number is too large or too exact to be kept",
                node,
                "Give it fewer digits, or make it a parameter.",
            )
        return Constant(value)

    def comparison(self, node: ast.Compare) -> Expression:
        if len(node.ops) != 1:
            raise self.error(
                "a chain of comparisons is not in the formula language", node,
                "Compare two values, and nest where(...) for the rest.",
            )  # fmt: skip
        operation = _COMPARISONS.get(type(node.ops[0]))
        if operation is None:
            raise self.error(
                "this comparison is not in the formula language", node,
                "Expected one of > < >= <= == !=.",
            )  # fmt: skip
        return Apply(operation, (self.value(node.left), self.value(node.comparators[0])))

    def call(self, node: ast.Call) -> Expression:
        if not isinstance(node.func, ast.Name):
            raise self.unexpected(node.func)
        name, count = node.func.id, len(node.args)
        if name not in _CALLABLE:
            close = difflib.get_close_matches(name, sorted(_CALLABLE), n=1)
            hint = remedy_for(name, self.variables) or (
                f"Did you mean {close[0]}?" if close else ""
            )
            raise self.error(
                f"{name!r} is not a function of the formula language", node.func,
                f"{hint} {_EXPECTED}".strip(),
            )  # fmt: skip
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(
                f"{name} takes its arguments by position", node.func, f"Write {name}(x)."
            )
        if name == "where":
            return self.where(node)
        if name in ("max", "min") and count == 2:
            word = {"max": "maximum", "min": "minimum"}[name]
            return Apply(word, (self.value(node.args[0]), self.value(node.args[1])))
        if count != 1:
            expected = "one or two arguments" if name in ("max", "min") else "one argument"
            nest = f" Nest it: {name}({name}(x, y), w)." if name in ("max", "min") else ""
            raise self.error(
                f"{name} takes {expected}, {count} given", node.func, f"Write {name}(x).{nest}"
            )
        inner = self.value(node.args[0])
        if name in REDUCTIONS and not variables_of(inner):
            raise self.error(
                f"{name} with one argument reaches over the units of the layer, "
                "and this argument is the same for all of them",
                node.func,
                f"Write {name}(x) with {' or '.join(self.variables)} in x"
                + (f", or {name}(x, y) for two values." if name in ("max", "min") else "."),
            )
        return Apply(name, (inner,))

    def where(self, node: ast.Call) -> Expression:
        if len(node.args) != 3:
            raise self.error(
                f"where takes three arguments, {len(node.args)} given", node.func,
                "Write where(condition, x, y), such as where(z > 0, z, 0).",
            )  # fmt: skip
        condition = self.any(node.args[0])
        if not (isinstance(condition, Apply) and condition.operation in _COMPARISON_WORDS):
            raise self.error(
                "the first argument of where must be a comparison", node.args[0],
                "Write where(z > 0, x, y).",
            )  # fmt: skip
        return Apply("where", (condition, self.value(node.args[1]), self.value(node.args[2])))

    def unexpected(self, node: ast.expr) -> FormulaError:
        remedies: dict[type[ast.expr], tuple[str, str]] = {
            ast.Attribute: (
                "names with a dot are not in the formula language",
                "Write the bare function: exp(z), not np.exp(z).",
            ),
            ast.IfExp: ("if ... else is not in the formula language", "Write where(z > 0, x, y)."),
            ast.BoolOp: ("and, or are not in the formula language", "Nest where(...) instead."),
            ast.Lambda: ("lambda is not in the formula language", "Write its body alone."),
            ast.Subscript: (
                "square brackets are not in the formula language",
                "z stands for a unit; sum, mean, max, min reach over the units.",
            ),
            ast.List: ("square brackets are not in the formula language", "Write round brackets."),
            ast.Set: ("braces are not in the formula language", "Write round brackets."),
        }
        problem, remedy = remedies.get(
            type(node),
            (f"{type(node).__name__} is not in the formula language", _EXPECTED),
        )
        return self.error(problem, node, remedy)
