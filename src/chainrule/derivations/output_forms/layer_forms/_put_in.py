"""Products in which what the output tells is put in for values of `z`, and written shortly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from chainrule.derivations._evaluate import evaluate_layer
from chainrule.derivations._graph import computation_graph
from chainrule.derivations.algebra._arithmetic import (
    ZERO,
    divide,
    negate,
    one_fraction,
    power,
    rebuilt,
    size,
    terms_of,
    total,
)
from chainrule.derivations.algebra._sympy import atoms_of, attempt
from chainrule.derivations.layers._closed_form import writings
from chainrule.derivations.layers._sum_algebra import MeanFunction, SumAlgebra, SumFunction
from chainrule.derivations.layers._vector_jacobian import SEED
from chainrule.derivations.output_forms._layers import is_shared
from chainrule.formulas import (
    COMPARISONS,
    Apply,
    Constant,
    Expression,
    Variable,
    constant,
    parameters_of,
    substitute,
    variables_of,
)

_A = Variable("a")
_SIGN, _SIZE = Apply("sign", (_A,)), Apply("abs", (_A,))
_SECONDS = 0.3
_MOST_ROOTS = 6  # that are named

Told = Mapping[Expression, Expression]


def put_in(e: Expression, values: Told) -> Expression:
    """Put values in until nothing changes: what is told of `z` may hold what is told besides."""
    for _ in range(len(values) or 1):
        e = substitute(e, values.get)
    return rebuilt(substitute(rebuilt(e), _undone))


def written_shortly(
    product: Expression, values: Told, numbers: Mapping[str, float]
) -> list[Expression]:
    """Put values in and shorten: those of single units first, then what the layer shares.

    Parameters
    ----------
    product : Expression
    values : mapping of Expression
        Of parts of `z`, in the output and in one another.
    numbers : mapping of str to float
        Of the parameters.

    Returns
    -------
    list of Expression
        Not proved; short ones first.
    """
    shared = {left: right for left, right in values.items() if is_shared(left)}
    kept = {left: left for left in shared}
    of_units = {left: right for left, right in values.items() if left not in shared}
    if shared and not of_units:
        return _ways(put_in(product, values), numbers)
    found = _ways(put_in(product, {**of_units, **kept}), numbers)
    whole = put_in(found[0], values)
    return found if whole == found[0] else _ways(whole, numbers)


def folded(e: Expression) -> Expression:
    """Return an expression with numbers for functions of numbers: ``tanh(0)**2 + x -> x``."""

    def number(part: Expression) -> Expression | None:
        if not isinstance(part, Apply) or part.operation in COMPARISONS:
            return None
        done = rebuilt(Apply(part.operation, tuple(map(folded, part.arguments))))
        if not isinstance(done, Apply) or variables_of(done) or parameters_of(done):
            return done
        layers = ([mpmath.mpf(1)] * units for units in (1, 2))
        (one, *_), (other, *_) = (evaluate_layer(done, {"z": layer}) for layer in layers)
        return constant(int(one)) if one == other and one in (-1, 0, 1) else done

    return substitute(e, number)


def _undone(e: Expression) -> Expression | None:
    """``exp(log(x)) -> x``, and what else an inverse put in undoes."""
    match e:
        case Apply("exp", (Apply("log", (x,)),)) | Apply("log", (Apply("exp", (x,)),)):
            return substitute(x, _undone)
        case Apply("sqrt", (Apply("power", (x, Constant(exponent))),)) if exponent == 2:
            return Apply("abs", (substitute(x, _undone),))
        case Apply("power", (Apply("sqrt", (x,)), Constant(exponent))) if exponent % 2 == 0:
            return power(substitute(x, _undone), Constant(exponent / 2))
        case Apply("power", (Apply("power", (x, inner)), outer)) if _is_positive(x):
            return power(substitute(x, _undone), rebuilt(one_fraction(inner, outer)))
        case Apply("divide", (Apply("sum", (x,)), Apply("count", ()))):
            return Apply("mean", (substitute(x, _undone),))
        case Apply("divide", (x, Apply("negate", (y,)))):
            return negate(substitute(Apply("divide", (x, y)), _undone))
        case Apply("divide", (x, Apply("divide", (above, below)))):
            x, above, below = (substitute(part, _undone) for part in (x, above, below))
            return one_fraction(x, divide(below, above))
        case Apply("maximum", (x, y)) if ZERO in (x, y):
            bare = substitute(y if x == ZERO else x, _undone)
            return bare if _is_positive(bare) else Apply("maximum", (bare, ZERO))
        case Apply("add" | "subtract"):
            terms = list(terms_of(e))
            numbers = [term.value for term in terms if isinstance(term, Constant)]
            if len(numbers) > 1:
                others = (substitute(x, _undone) for x in terms if not isinstance(x, Constant))
                return total((*others, Constant(sum(numbers, Fraction(0)))))
    return None


def _is_positive(e: Expression) -> bool:
    """Tell whether a value is at least 0 by the way in which it is written."""
    match e:
        case Apply("sum" | "mean", (Apply("power", (_, Constant(exponent))),)):
            return exponent == 2
        case Apply("add", (x, y)):
            return _is_positive(x) and _is_positive(y)
        case Apply("sqrt" | "abs"):
            return True
        case Apply("power", (_, Constant(exponent))) if exponent.denominator > 1:
            return True  # as a root is not taken of anything else
    return isinstance(e, Constant) and e.value >= 0


def _ways(e: Expression, numbers: Mapping[str, float]) -> list[Expression]:
    """Return ways to write a product, short ones first; no longer than it."""
    algebra = SumAlgebra(computation_graph(substitute(e, _mean_as_sum)), dict(numbers))
    value = _with_single_signs(_without_tangents(algebra.value(algebra.graph.output)), algebra)

    def cancelled(part: Any) -> Any:
        return algebra.sum(_factored(part.args[0]))

    value = value.replace(lambda part: isinstance(part, SumFunction), cancelled)
    logarithms = {part: sympy.Dummy(f"log{k}") for k, part in enumerate(atoms_of(value, sympy.log))}
    back = {symbol: part for part, symbol in logarithms.items()}
    value = value.subs(logarithms)
    sign = algebra.translation.symbol(_SIGN)
    tries: list[Callable[[], Any]] = [lambda: _factored(value)]
    if any(map(_is_root, value.atoms(sympy.Pow))):
        tries.insert(0, lambda: _factored(_with_roots_split(value)))
        tries.insert(0, lambda: _factored_in_roots(value, algebra))
    if value.has(sign):
        tries.insert(0, lambda: _with_sizes(value, algebra))
    ways = dict.fromkeys(attempt(_SECONDS, work, None) for work in tries)
    written = [
        algebra.to_expression(x.subs(back))
        for way in ways
        if way is not None
        for other in (*writings(way, algebra), *_divided(way))
        for x in (_turned(other, algebra), other)
        if not x.has(sympy.I)
    ]
    return sorted(dict.fromkeys([*written, e]), key=size)


def _mean_as_sum(e: Expression) -> Expression | None:
    match e:
        case Apply("mean", (x,)):
            total = Apply("sum", (substitute(x, _mean_as_sum),))
            return Apply("divide", (total, Apply("count", ())))
    return None


def _divided(e: Any) -> Iterator[Any]:
    """``c*(g*n - s)/n -> c*(g - s/n)``, where n is what units add up to, or a root of it."""
    above, below = sympy.fraction(e)
    sums = [
        part
        for part in sympy.Mul.make_args(below)
        if isinstance(part.as_base_exp()[0], SumFunction | MeanFunction)
    ]
    for divisor in dict.fromkeys((*sums, sympy.Mul(*sums))):
        for factor in sympy.Mul.make_args(above):
            if factor.is_Add and all(map(factor.has, sympy.Mul.make_args(divisor))):
                yield e / factor * divisor * sympy.expand(factor / divisor)


def _is_root(part: Any) -> bool:
    return bool(part.is_Pow and part.exp.is_Rational and part.exp.q > 1)


def _with_roots_split(value: Any) -> Any:
    """``(p/q)**(3/2) -> p**(3/2)/q**(3/2)``, which is right where both are positive."""

    def split(part: Any) -> Any:
        above, below = sympy.fraction(_factored(part.base))
        if above.could_extract_minus_sign():
            above, below = -above, -below
        return above**part.exp / below**part.exp

    return value.replace(_is_root, split)


def _factored(e: Any) -> Any:
    return sympy.factor(sympy.cancel(sympy.together(e)))


def _factored_in_roots(e: Any, algebra: SumAlgebra) -> Any:
    """``x - sqrt(x) -> sqrt(x)*(sqrt(x) - 1)``: what roots are taken of is a square of these."""
    if e.has(algebra.count):
        e = algebra.with_means(e)
    found = []
    # Short ones first: of what holds them the roots are known then, as of (1 + sqrt(x))**2.
    while roots := [part for part in e.atoms(sympy.Pow) if _is_root(part) and part.free_symbols]:
        base = min((part.base for part in roots), key=sympy.count_ops)
        root = sympy.Dummy("root", positive=True)
        e = e.subs(base, root**2)
        found.append((root, sympy.sqrt(base)))
        if e.has(base) or len(found) > _MOST_ROOTS:
            break
    return _factored(e).subs(found[::-1])


def _without_tangents(value: Any) -> Any:
    """``tanh(log(q)/2) -> (q - 1)/(q + 1)``."""

    def is_of_logarithm(part: Any) -> bool:
        return isinstance(part, sympy.tanh) and not sympy.exp(2 * part.args[0]).has(sympy.exp)

    def rational(part: Any) -> Any:
        q = sympy.exp(2 * part.args[0])
        return _factored((q - 1) / (q + 1))

    return value.replace(is_of_logarithm, rational)


def _with_sizes(value: Any, algebra: SumAlgebra) -> Any:
    """Write ``abs(a)`` for ``a*sign(a)`` and 1 for ``sign(a)**2``."""
    a, sign, magnitude = (algebra.translation.symbol(e) for e in (_A, _SIGN, _SIZE))
    sums = {part: sympy.Dummy(f"sum{k}") for k, part in enumerate(atoms_of(value, SumFunction))}
    back = {symbol: part for part, symbol in sums.items()}
    in_signs = sympy.cancel(sympy.together(value.subs(sums).subs(magnitude, a * sign)))
    above, below = (
        sympy.rem(sympy.expand(part), sign**2 - 1, sign) for part in sympy.fraction(in_signs)
    )
    of_size = sympy.expand((above / below).subs(a, magnitude * sign))
    return _factored(of_size.subs({sign**3: sign, sign**2: 1})).subs(back)


def _with_single_signs(value: Any, algebra: SumAlgebra) -> Any:
    """``sign(a)**3 -> sign(a)``, and ``sign(a)**2*abs(a)**p -> abs(a)**p`` for positive p."""
    a, sign, magnitude = (algebra.translation.symbol(e) for e in (_A, _SIGN, _SIZE))

    def is_sized(e: Any) -> bool:
        powers = e.as_powers_dict() if e.is_Mul else {}
        return bool(powers.get(sign, 0) and powers.get(magnitude, 0) > 0)

    def single(e: Any) -> Any:
        powers = e.as_powers_dict()
        rest = e / sign ** powers[sign]
        if powers[sign] % 2 == 0:
            return rest
        return rest / magnitude * a if powers[magnitude] == 1 else rest * sign

    return value.replace(is_sized, single)


def _turned(e: Any, algebra: SumAlgebra) -> Any:
    """``(s - 1)*(S - g) -> (1 - s)*(g - S)``: what is taken away comes last."""
    g = algebra.translation.symbol(SEED)
    sign, factors = 1, []
    for factor in sympy.Mul.make_args(e):
        base, exponent = factor.as_base_exp()
        first = base.as_coeff_Add()[0] or base.coeff(g).as_coeff_Mul()[0]
        is_turned = base.is_Add and first.is_negative and exponent.is_Integer
        sign *= (-1) ** exponent if is_turned else 1
        factors.append((-base) ** exponent if is_turned else factor)
    return sympy.Mul(sign, *factors)
