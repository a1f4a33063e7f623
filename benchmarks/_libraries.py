"""The same function in every library: its own operator where it has one, else the formula."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.catalogue import Entry, activation_formula, activations
from chainrule.derivations import derive
from chainrule.formulas import (
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Parameter,
    Pi,
)

Call = Callable[[], object]
_LOST = 1e-3  # of the largest slope of a layer
COLUMNS = 100  # units of a layer, for functions that couple them


def arrays(function: str, size: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return pre-activations and ∂J/∂A."""
    generator = np.random.default_rng(0)
    coupled = activation_formula(function).is_layer_coupled
    shape = (max(size // COLUMNS, 1), min(COLUMNS, size)) if coupled else (size,)
    z = (3 * generator.normal(size=shape)).astype(dtype)
    return z, generator.normal(size=shape).astype(dtype)


def chainrule_call(function: str, direction: str, size: int, dtype: str) -> Call:
    """Return a call of chainrule's kernel."""
    import chainrule

    z, da = arrays(function, size, dtype)
    activation = chainrule.activation(function)
    if direction == "forward":
        out = np.empty_like(z)
        return lambda: activation(z, out=out)
    forward, backward = fastest_passes(activation, z, da)
    if direction == "backward":
        forward()
        return backward
    return lambda: (forward(), backward())


def fastest_passes(activation: Any, z: np.ndarray, da: np.ndarray) -> tuple[Call, Call]:
    """Return both passes in the fastest of the ways that keep the slope's digits.

    Each keeps at most one array besides `a`.
    """
    a, slope, dz = (np.empty_like(z) for _ in range(3))

    def forward() -> None:
        activation(z, out=a)

    def forward_with_slope() -> None:
        activation.forward_with_slope(z, out=a, slope_out=slope)

    passes: dict[str, tuple[Call, Call]] = {
        "backward": (forward, lambda: activation.backward(da, z, out=dz)),
        "backward_from_slope": (
            forward_with_slope,
            lambda: activation.backward_from_slope(da, slope, out=dz),
        ),
        "backward_from_output": (
            forward,
            lambda: activation.backward_from_output(da, a, out=dz),
        ),
    }
    known = [way for way in activation.ways_back() if not way.refusal and way.lost <= _LOST]

    def seconds(way: Any) -> float:
        forward, backward = passes[way.method]
        return min(timeit.repeat(lambda: (forward(), backward()), number=1, repeat=20))

    return passes[min(known, key=seconds).method]


def copy_call(function: str, direction: str, size: int, dtype: str) -> Call:
    """Return what memory alone takes: a copy, or a sum of two arrays for the backward pass."""
    z, da = arrays(function, size, dtype)
    out, dz = np.empty_like(z), np.empty_like(z)
    if direction == "forward":
        return lambda: np.copyto(out, z)
    if direction == "step":
        return lambda: (np.copyto(out, z), np.add(out, da, out=dz))
    return lambda: np.add(z, da, out=out)


def numpy_call(function: str, direction: str, size: int, dtype: str) -> Call:
    """Return SciPy's function where there is one, else the formula in NumPy's operations."""
    import scipy.special

    z, da = arrays(function, size, dtype)
    own = {"sigmoid": "expit", "log_sigmoid": "log_expit", "softmax": "softmax", "erf": "erf",
           "log_softmax": "log_softmax"}  # fmt: skip
    formula = activation_formula(function)
    if direction == "forward" and function in own:
        operator = getattr(scipy.special, own[function])
        return lambda: operator(z, axis=-1) if function.endswith("softmax") else operator(z)
    if direction == "forward":
        run = expressed(formula.expression, dict(formula.parameters), "numpy")
        return lambda: run(z)
    if formula.is_layer_coupled or direction == "step":
        raise NotImplementedError("no backward pass in NumPy")
    slope = derive(formula).steps[-1].in_variables
    run = expressed(slope, dict(formula.parameters), "numpy")
    return lambda: da * run(z)


def torch_function(function: str) -> Callable[..., Any]:
    """Return PyTorch's own operator, else the formula in its operations."""
    import torch

    peer = entry(function).elsewhere.get("torch")
    if peer is None or peer.parameters:
        formula = activation_formula(function)
        return expressed(formula.expression, dict(formula.parameters), "torch")
    operator: Any = torch
    for name in peer.name.split("."):
        operator = getattr(operator, name)
    if isinstance(operator, type):
        return operator()
    arguments = dict(peer.arguments)
    if function in ("softmax", "log_softmax", "softmin"):
        arguments["dim"] = -1
    if function.endswith("_norm"):
        arguments["normalized_shape"] = (COLUMNS,)
    return lambda z: operator(z, **arguments)


def torch_result(function: str) -> Callable[..., Any]:
    """Return the same, or a copy where it hands back its argument: the others write one."""
    import torch

    operator, probe = torch_function(function), torch.zeros(1, COLUMNS)
    return torch.clone if operator(probe) is probe else operator


def torch_call(function: str, direction: str, size: int, dtype: str) -> Call:
    """Return PyTorch's eager operator, or its backward node."""
    import torch

    z, da = (torch.from_numpy(values) for values in arrays(function, size, dtype))
    operator = torch_result(function)
    if direction == "forward":

        def forward() -> object:
            with torch.no_grad():
                return operator(z)

        return forward
    z.requires_grad_()
    if direction == "step":
        return lambda: torch.autograd.grad(operator(z), z, da)
    if operator is torch.clone:
        return lambda: torch.clone(da)
    a = operator(z)
    node = a.grad_fn
    leaves = [following for following, _ in node.next_functions if following is not None]
    if len(leaves) == 1 and type(leaves[0]).__name__ == "AccumulateGrad":
        return lambda: node(da)
    return lambda: torch.autograd.grad(a, z, da, retain_graph=True)


def torch_compile_call(function: str, direction: str, size: int, dtype: str) -> Call:
    """Return what torch.compile makes of the operator and of its vector-Jacobian product."""
    import torch

    z, da = (torch.from_numpy(values) for values in arrays(function, size, dtype))
    operator = torch_result(function)
    if direction == "forward":
        compiled = torch.compile(operator)

        def forward() -> object:
            with torch.no_grad():
                return compiled(z)

        return forward
    if direction == "step":
        z.requires_grad_()
        compiled = torch.compile(operator)
        return lambda: torch.autograd.grad(compiled(z), z, da)
    backward = torch.compile(lambda z, da: torch.func.vjp(operator, z)[1](da)[0])
    return lambda: backward(z, da)


def jax_call(function: str, direction: str, size: int, dtype: str) -> Call:
    """Return JAX's function or the formula, under jit, with its vector-Jacobian product."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", dtype == "float64")
    z, da = (jnp.asarray(values) for values in arrays(function, size, dtype))
    peer = entry(function).elsewhere.get("jax")
    if peer is None or peer.parameters:
        formula = activation_formula(function)
        operator = expressed(formula.expression, dict(formula.parameters), "jax")
    else:
        own: Any = jax
        for name in peer.name.split("."):
            own = getattr(own, name)
        operator = lambda z: own(z, **peer.arguments)  # noqa: E731
    if direction == "forward":
        forward = jax.jit(operator)
        return lambda: forward(z).block_until_ready()
    backward = jax.jit(lambda z, da: jax.vjp(operator, z)[1](da)[0])
    if direction == "step":

        def both(z: Any, da: Any) -> Any:
            a, pull = jax.vjp(operator, z)
            return a, pull(da)[0]

        step = jax.jit(both)
        return lambda: jax.block_until_ready(step(z, da))
    return lambda: backward(z, da).block_until_ready()


LIBRARIES: dict[str, Callable[[str, str, int, str], Call]] = {
    "chainrule": chainrule_call,
    "torch": torch_call,
    "torch.compile": torch_compile_call,
    "jax": jax_call,
    "numpy": numpy_call,
    "copy": copy_call,
}


def entry(function: str) -> Entry:
    """Return a function's entry in the catalogue."""
    return next(e for e in activations() if e.name == function)


def expressed(
    expression: Expression, parameters: dict[str, float], library: str
) -> Callable[[Any], Any]:
    """Return a formula of `z` in a library's operations."""
    space, erf, where = _namespace(library)
    names = {"atan": "arctan", "asinh": "arcsinh"} if library != "torch" else {}
    infix: dict[str, Callable[..., Any]] = {
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "divide": lambda x, y: x / y,
        "power": lambda x, y: x**y,
        "negate": lambda x: -x,
        "reciprocal": lambda x: 1 / x,
        "greater": lambda x, y: x > y,
        "less": lambda x, y: x < y,
        "greater_equal": lambda x, y: x >= y,
        "less_equal": lambda x, y: x <= y,
        "equal": lambda x, y: x == y,
        "not_equal": lambda x, y: x != y,
    }

    def value(e: Expression, z: Any) -> Any:
        if isinstance(e, Constant):
            return float(e.value)
        if isinstance(e, Pi):
            return np.pi
        if isinstance(e, Parameter):
            return parameters[e.name]
        if not isinstance(e, Apply):
            return z
        x = [value(part, z) for part in e.arguments]
        if e.operation in infix:
            return infix[e.operation](*x)
        if e.operation in REDUCTIONS:
            return _reduced(space, library, e.operation, x[0])
        if e.operation in ("maximum", "minimum"):
            return _bounded(space, library, e.operation, *x)
        if e.operation == "where":
            return where(*x)
        if e.operation == "indicator":
            return where(x[0], 1.0, 0.0)
        if e.operation == "erf":
            return erf(x[0])
        function = getattr(space, names.get(e.operation, e.operation))
        if not hasattr(x[0], "shape"):
            return float(getattr(np, {"atan": "arctan"}.get(e.operation, e.operation))(x[0]))
        return function(x[0])

    return lambda z: value(expression, z)


def _namespace(library: str) -> tuple[Any, Callable[..., Any], Callable[..., Any]]:
    if library == "torch":
        import torch

        return torch, torch.erf, torch.where
    if library == "jax":
        import jax
        import jax.numpy as jnp

        return jnp, jax.scipy.special.erf, jnp.where
    import scipy.special

    def where(condition: Any, yes: Any, no: Any) -> Any:
        like = next((x for x in (yes, no) if isinstance(x, np.ndarray)), None)
        kept = [np.asarray(x, None if like is None else like.dtype) for x in (yes, no)]
        return np.where(condition, *kept)

    return np, scipy.special.erf, where


def _reduced(space: Any, library: str, operation: str, x: Any) -> Any:
    if library == "torch":
        if operation in ("max", "min"):
            return getattr(x, f"a{operation}")(dim=-1, keepdim=True)
        return getattr(x, operation)(dim=-1, keepdim=True)
    return getattr(space, operation)(x, axis=-1, keepdims=True)


def _bounded(space: Any, library: str, operation: str, x: Any, y: Any) -> Any:
    if library == "torch" and not (hasattr(x, "shape") and hasattr(y, "shape")):
        array, number = (x, y) if hasattr(x, "shape") else (y, x)
        return array.clamp(**{"min" if operation == "maximum" else "max": number})
    return getattr(space, operation)(x, y)
