"""One measurement of a kernel: ``python -m benchmarks.kernels LIBRARY FUNCTION DIRECTION SIZE``.

Prints the median time of a call in microseconds. Arrays are float32; softmax works on rows of 100.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

FUNCTIONS = ("relu", "sigmoid", "tanh", "gelu", "silu", "mish", "softmax")
LIBRARIES = ("chainrule", "torch", "numpy")


def arrays(function: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pre-activations and ∂J/∂A."""
    generator = np.random.default_rng(0)
    shape = (size // 100, 100) if function == "softmax" else (size,)
    z = (3 * generator.normal(size=shape)).astype(np.float32)
    return z, generator.normal(size=shape).astype(np.float32)


def chainrule_call(function: str, direction: str, size: int) -> Callable[[], object]:
    """Return a call of chainrule's kernel."""
    import chainrule

    z, da = arrays(function, size)
    activation, out = chainrule.activation(function), np.empty_like(z)
    if direction == "forward":
        return lambda: activation(z, out=out)
    return lambda: activation.backward(da, z, out=out)


def torch_call(function: str, direction: str, size: int) -> Callable[[], object]:
    """Return a call of PyTorch's eager operator, forward or its backward node."""
    import torch
    from torch.nn import functional

    z, da = (torch.from_numpy(values) for values in arrays(function, size))
    operator = functional.softmax if function == "softmax" else getattr(functional, function, None)
    operator = operator or getattr(torch, function)
    keywords = {"dim": -1} if function == "softmax" else {}
    if direction == "forward":
        return lambda: operator(z, **keywords)
    node = operator(z.requires_grad_(), **keywords).grad_fn
    return lambda: node(da)


def numpy_call(function: str, direction: str, size: int) -> Callable[[], object]:
    """Return a plain copy: the floor that memory sets."""
    z, _ = arrays(function, size)
    out = np.empty_like(z)
    return lambda: np.copyto(out, z)


def median_microseconds(call: Callable[[], object], seconds: float = 1.0) -> float:
    """Return the median time of a call."""
    call()
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def main() -> None:
    """Measure what the command line names."""
    library, function, direction, size = sys.argv[1:]
    makers = {"chainrule": chainrule_call, "torch": torch_call, "numpy": numpy_call}
    print(median_microseconds(makers[library](function, direction, int(size))))


if __name__ == "__main__":
    main()
