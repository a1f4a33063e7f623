"""How exact other libraries are: ``python -m benchmarks.accuracy [LIBRARY]``.

Every element-wise function of the catalogue that a library has, value and gradient in float32 over
4.2 million inputs of the whole range (every 1013th bit pattern), against float64 kernels. Without
a library all installed ones are measured, each in a process of its own, and a table is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks._libraries import entry, expressed, torch_function
from chainrule.catalogue import activation_formula, activations
from chainrule.kernels import backward, forward

LIBRARIES = ("chainrule", "torch", "jax", "numpy")
STEP = 1013
Both = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


def inputs() -> np.ndarray:
    """Return the float32 numbers that are tried."""
    patterns = np.arange(0, 2**32, STEP, dtype=np.uint32).view(np.float32)
    return patterns[np.isfinite(patterns)]


def torch_both(function: str) -> Both | None:
    """Return PyTorch's value and gradient."""
    import torch

    if "torch" not in entry(function).elsewhere:
        return None

    def both(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tensor = torch.from_numpy(z).requires_grad_()
        a = torch_function(function)(tensor)
        (slope,) = torch.autograd.grad(a.sum(), tensor)
        return a.detach().numpy(), slope.numpy()

    return both


def jax_both(function: str) -> Both | None:
    """Return JAX's value and gradient, under jit."""
    import jax
    import jax.numpy as jnp

    peer = entry(function).elsewhere.get("jax")
    if peer is None or peer.parameters:
        return None
    own = jax
    for name in peer.name.split("."):
        own = getattr(own, name)

    def both(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def run(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            a, pull = jax.vjp(lambda v: own(v, **peer.arguments), x)
            return a, pull(jnp.ones_like(a))[0]

        a, slope = jax.jit(run)(jnp.asarray(z))
        return np.asarray(a), np.asarray(slope)

    return both


def numpy_both(function: str) -> Both | None:
    """Return SciPy's value, or that of the formula in NumPy's operations; no gradient."""
    import scipy.special

    own = {"sigmoid": "expit", "log_sigmoid": "log_expit", "erf": "erf"}
    formula = activation_formula(function)
    if function in own:
        return lambda z: (getattr(scipy.special, own[function])(z), None)
    run = expressed(formula.expression, dict(formula.parameters), "numpy")
    return lambda z: (np.asarray(run(z)), None)


def chainrule_both(function: str) -> Both:
    """Return our own."""
    formula = activation_formula(function)
    return lambda z: (forward(formula, z), backward(formula, np.ones_like(z), z))


def worst(got: np.ndarray, true: np.ndarray) -> tuple[float, int]:
    """Return the largest error in ulp, and at how many inputs there is no number."""
    bound = 2.0**128
    rounded = np.clip(true, -bound, bound)
    with np.errstate(all="ignore"):
        unit = np.exp2(np.clip(np.floor(np.log2(np.abs(rounded))), -126, 127) - 23)
        unit[~np.isfinite(unit) | (rounded == 0)] = 2.0**-149
        error = np.abs(np.clip(got.astype(np.float64), -bound, bound) - rounded) / unit
    known = ~np.isnan(true)
    missing = known & np.isnan(got)
    return float(np.max(error[known & ~missing], initial=0.0)), int(missing.sum())


def figures(library: str) -> dict[str, list[float | None]]:
    """Return value's and gradient's largest errors, and missing numbers, by function."""
    makers = {"torch": torch_both, "jax": jax_both, "numpy": numpy_both,
              "chainrule": chainrule_both}  # fmt: skip
    z = inputs()
    wide = z.astype(np.float64)
    found: dict[str, list[float | None]] = {}
    for e in activations():
        formula = activation_formula(e.name)
        both = None if formula.is_layer_coupled else makers[library](e.name)
        if both is None:
            continue
        value, slope = both(z)
        row: list[float | None] = [*worst(value, forward(formula, wide))]
        if slope is None:
            row += [None, None]
        else:
            row += worst(slope, backward(formula, np.ones_like(wide), wide))
        found[e.name] = row
    return found


def shown(row: list[float | None] | None, place: int) -> str:
    """Return an error, with a mark where numbers are missing."""
    if row is None or row[place] is None:
        return "-"
    error, missing = row[place], row[place + 1]
    return (f"{error:.2f}" if error < 1000 else f"{error:.0e}") + ("*" if missing else "")


def table(found: dict[str, dict[str, list[float | None]]]) -> Table:
    """Return the largest errors of value (a) and gradient (∂a) of every library."""
    columns = [
        (library, place)
        for library in found
        for place in (0, 2)
        if any(row[place] is not None for row in found[library].values())
    ]
    headings = (f"{library} {'∂a' if place else 'a'}" for library, place in columns)
    result = Table("", *headings, title="Largest error in ulp, float32", box=None,
                   padding=(0, 1, 0, 0))  # fmt: skip
    for e in activations():
        if any(e.name in rows for rows in found.values()):
            cells = (shown(found[library].get(e.name), place) for library, place in columns)
            result.add_row(e.name, *cells)
    return result


def lacking(found: dict[str, dict[str, list[float | None]]]) -> list[str]:
    """Return, for every library, where it has NaN for a number."""
    lines = []
    for library, rows in found.items():
        cases = [
            f"{name} {what} {row[place]:,}"
            for name, row in rows.items()
            for place, what in ((1, "a"), (3, "∂a"))
            if row[place]
        ]
        if cases:
            lines.append(f"* {library}: NaN for a number at how many inputs: {', '.join(cases)}")
    return lines


def main() -> None:
    """Measure the library that is named, or all of them."""
    warnings.simplefilter("ignore")
    if len(sys.argv) > 1 and sys.argv[1] in LIBRARIES:
        print(json.dumps(figures(sys.argv[1])))
        return
    found = {}
    for library in LIBRARIES:
        command = [sys.executable, "-m", "benchmarks.accuracy", library]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            found[library] = json.loads(done.stdout.splitlines()[-1])
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("benchmarks/results")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accuracy.json").write_text(json.dumps(found, indent=1))
    with (folder / "accuracy.txt").open("w", encoding="utf-8") as file:
        for console in (Console(), Console(file=file, width=80)):
            console.print(table(found))
            for line in lacking(found):
                console.print(line)


if __name__ == "__main__":
    main()
