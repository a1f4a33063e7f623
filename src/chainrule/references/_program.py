"""An expression as a list of steps on balls, for one unit or a layer of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from chainrule.formulas import (
    Apply,
    Constant,
    Expression,
    Formula,
    Parameter,
    Pi,
    Variable,
    constant,
    substitute,
)
from chainrule.references import _ball
from chainrule.references._ball import Ball
from chainrule.references._elementary import OPERATIONS, ORDERS, REDUCTIONS, choose
from chainrule.references._growth import STILL, Rise, rise_of_balls, rise_of_operation

_TWO = constant(2)
_SWITCHES = {"maximum": 2, "minimum": 2, "abs": 1, "sign": 1, "where": 1} | dict.fromkeys(ORDERS, 2)


def _complement(e: Expression) -> Expression | None:
    """``1 ± erf(x) -> erfc(∓x)``, ``1 ± tanh(x) -> 2/(1 + exp(∓2 x))``, ``exp(x) - 1 -> expm1(x)``.

    ``1 - u**2`` of either is ``(1 - u)*(1 + u)``, ``log(u) -> log1p(-(1 - u))``,
    ``log(1 + x) -> log1p(x)``, and ``erf(x) - erf(y)`` is a difference of either tail. In the tails
    no precision that is affordable shows the sum.
    """
    match e:
        case Apply("subtract", (Constant(1) as one, square)) if (u := _squared(square)) is not None:
            sides = (Apply(operation, (one, u)) for operation in ("subtract", "add"))
            return Apply("multiply", tuple(substitute(side, _complement) for side in sides))
        case Apply("add", (Constant(1), Apply("erf" | "tanh" as name, (x,)))) | Apply(
            "add", (Apply("erf" | "tanh" as name, (x,)), Constant(1))
        ):
            inner: Expression = Apply("negate", (x,))
        case Apply("subtract", (Constant(1), Apply("erf" | "tanh" as name, (x,)))):
            inner = x
        case Apply("subtract", (Apply("exp", (x,)), Constant(1))):
            return Apply("expm1", (substitute(x, _complement),))
        case Apply("subtract", (Constant(1), Apply("exp", (x,)))):
            return Apply("negate", (Apply("expm1", (substitute(x, _complement),)),))
        case Apply("log", (Apply("add", (Constant(1), x) | (x, Constant(1))) as total,)) if (
            _complement(total) is None
        ):
            return Apply("log1p", (substitute(x, _complement),))
        case Apply("subtract", (Apply("erf", (x,)), Apply("erf", (y,)))):
            ends = tuple(substitute(end, _complement) for end in (x, y))
            return Apply("difference_of_erf", ends)
        case Apply("log", (Apply("erf" | "tanh") as u,)):
            rest = substitute(Apply("subtract", (constant(1), u)), _complement)
            return Apply("log1p", (Apply("negate", (rest,)),))
        case _:
            return None
    inner = substitute(inner, _complement)
    if name == "erf":
        return Apply("erfc", (inner,))
    grown = Apply("exp", (Apply("multiply", (_TWO, inner)),))
    return Apply("divide", (_TWO, Apply("add", (constant(1), grown))))


def _squared(e: Expression) -> Expression | None:
    """Return the error function or hyperbolic tangent that an expression is the square of."""
    match e:
        case Apply("power", (Apply("erf" | "tanh") as u, Constant(2))):
            return u
        case Apply("multiply", (Apply("erf" | "tanh") as u, again)) if u == again:
            return u
    return None


@dataclass(frozen=True)
class _Step:
    """One operation; `arguments` are the numbers of earlier steps."""

    operation: str
    arguments: tuple[int, ...]
    number: Fraction | None = None
    coupled: bool = False  # one value for the layer, not one a unit


class Program:
    """A formula's steps; an expression that occurs twice is computed once.

    Parameters
    ----------
    formula : Formula
        In `z`; of a cost behind an activation, also in the targets `y`.
    """

    def __init__(self, formula: Formula) -> None:
        self._parameters = {name: Fraction(value) for name, value in formula.parameters}
        self._places: dict[Expression, int] = {}
        self._steps: list[_Step] = []
        self._constants: dict[int, list[Ball | None]] = {}
        self._switches: dict[tuple[int, ...], None] = {}
        self._visit(substitute(formula.expression, _complement))

    def _visit(self, expression: Expression) -> int:
        if expression in self._places:
            return self._places[expression]
        step = self._step(expression)
        if step.operation in _SWITCHES and not step.coupled:
            compared = step.arguments[: _SWITCHES[step.operation]]
            if step.operation != "where":
                self._switches[compared] = None
        self._steps.append(step)
        self._places[expression] = len(self._steps) - 1
        return len(self._steps) - 1

    def _step(self, expression: Expression) -> _Step:
        if isinstance(expression, Apply):
            arguments = tuple(self._visit(argument) for argument in expression.arguments)
            operation = expression.operation
            joined = operation in REDUCTIONS or all(self._steps[k].coupled for k in arguments)
            return _Step(operation, arguments, coupled=joined)
        if isinstance(expression, Variable):
            return _Step("z" if expression.name == "z" else "given", ())
        if isinstance(expression, Pi):
            return _Step("pi", (), coupled=True)
        if isinstance(expression, Constant):
            return _Step("number", (), expression.value, coupled=True)
        assert isinstance(expression, Parameter)
        return _Step("number", (), self._parameters[expression.name], coupled=True)

    def _constants_at(self, precision: int) -> list[Ball | None]:
        """Return the balls of the numbers that occur, by place."""
        if precision not in self._constants:
            found: list[Ball | None] = []
            for step in self._steps:
                if step.operation == "pi":
                    found.append(_ball.pi(precision))
                elif step.number is not None:
                    found.append(_ball.from_fraction(step.number, precision))
                else:
                    found.append(None)
            if len(self._constants) > 32:
                self._constants.clear()
            self._constants[precision] = found
        return self._constants[precision]

    def _run(self, z: Ball, precision: int) -> list[Ball]:
        """Evaluate every step for a layer of one unit."""
        balls: list[Ball] = []
        for place, step in enumerate(self._steps):
            known = self._constants_at(precision)[place]
            arguments = [balls[k] for k in step.arguments]
            if known is not None:
                balls.append(known)
            elif step.operation == "z":
                balls.append(z)
            elif step.operation == "where":
                comparison = self._steps[step.arguments[0]]
                left, right = comparison.arguments
                operands = balls[left], balls[right]
                balls.append(choose(comparison.operation, *operands, *arguments[1:]))
            elif step.operation in ORDERS:
                balls.append(_ball.UNKNOWN)  # never read: where() looks at the operands
            elif step.operation in REDUCTIONS:
                balls.append(arguments[0])
            else:
                balls.append(OPERATIONS[step.operation](*arguments, precision))
        return balls

    @property
    def has_waves(self) -> bool:
        """Whether there is a sine or cosine."""
        return any(step.operation in ("sin", "cos") for step in self._steps)

    def at(self, z: Ball, precision: int) -> Ball:
        """Evaluate the formula at one unit."""
        return self._run(z, precision)[-1]

    def rise(self, below: Ball, above: Ball, precision: int) -> Rise | None:
        """Return the sign of a rise and how large it is at least, for values too large as well."""
        ends = list(zip(self._run(below, precision), self._run(above, precision), strict=True))
        rises: list[Rise | None] = []
        for step, pair in zip(self._steps, ends, strict=True):
            found = STILL if step.coupled else rise_of_balls(*pair, precision)
            if found is None and not any(end == _ball.UNDEFINED for end in pair):
                arguments = [ends[k] for k in step.arguments]
                found = rise_of_operation(
                    step.operation, [rises[k] for k in step.arguments], arguments, pair
                )
            rises.append(found)
        return rises[-1]

    def switch_signs(self, z: Ball, precision: int) -> list[int | None]:
        """Return the sign of every difference on which a choice of the formula turns."""
        balls = self._run(z, precision)
        return [
            _ball.sign(balls[compared[0]])
            if len(compared) == 1
            else _ball.compare(balls[compared[0]], balls[compared[1]])
            for compared in self._switches
        ]

    def over(
        self,
        layer: Sequence[Ball],
        precision: int,
        memory: dict[tuple[object, ...], Ball],
        reductions: dict[int, Ball] | None = None,
        *,
        hold: bool = False,
        given: Sequence[Ball] = (),
    ) -> list[Ball]:
        """Evaluate the formula at all units of a layer.

        Parameters
        ----------
        layer : sequence of ball
            The pre-activations.
        precision : int
            Bits to work with.
        memory : dict
            Keeps results by operation and arguments, so that evaluations which differ in one unit
            share the rest; it must not outlive the precision.
        reductions : dict, optional
            Receives what the reductions over the units come to.
        hold : bool
            Take the reductions from `reductions` instead: a unit then acts on itself alone.
        given : sequence of ball
            The targets, of a cost.
        """
        values: list[list[Ball]] = []
        for place, step in enumerate(self._steps):
            known = self._constants_at(precision)[place]
            if known is not None:
                values.append([known])
            elif step.operation == "z":
                values.append(list(layer))
            elif step.operation == "given":
                values.append(list(given))
            elif step.operation in ORDERS:
                values.append([_ball.UNKNOWN])
            elif step.operation in REDUCTIONS:
                if not hold or reductions is None:
                    units = values[step.arguments[0]]
                    units = units * len(layer) if len(units) == 1 else units
                    total = REDUCTIONS[step.operation](units, precision)
                    if reductions is not None:
                        reductions[place] = total
                else:
                    total = reductions[place]
                values.append([total])
            else:
                values.append(self._per_unit(step, values, precision, memory))
        return values[-1] if len(values[-1]) == len(layer) else values[-1] * len(layer)

    def _per_unit(
        self,
        step: _Step,
        values: list[list[Ball]],
        precision: int,
        memory: dict[tuple[object, ...], Ball],
    ) -> list[Ball]:
        places, operation = step.arguments, step.operation
        if operation == "where":
            comparison = self._steps[places[0]]
            places, operation = comparison.arguments + places[1:], comparison.operation
        columns = [values[place] for place in places]
        width = max(len(column) for column in columns)
        results = []
        for unit in range(width):
            arguments = tuple(c[unit] if len(c) > 1 else c[0] for c in columns)
            key = (operation, len(places), arguments)
            if key not in memory:
                if step.operation == "where":
                    memory[key] = choose(operation, *arguments)
                else:
                    memory[key] = OPERATIONS[operation](*arguments, precision)
            results.append(memory[key])
        return results
