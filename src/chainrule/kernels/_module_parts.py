"""What all generated modules are made of: their heads, kernels, and how these read arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chainrule.kernels.source._joined_fits import with_fits_called
from chainrule.kernels.source._lines import parameter_name
from chainrule.kernels.source._near_waves import with_near_loops
from chainrule.kernels.source._tiers import in_tiers, tiers_of
from chainrule.kernels.source._waves import with_tables

_ACCUMULATE = '''
@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def accumulate(total, value):
    """Add; the order is free, so that the sum runs in several lanes."""
    return total + value
'''
_PRODUCT = '''
@njit(forceinline=True, error_model="numpy", fastmath={"contract"})
def product(x, y):
    """Multiply; a sum that takes it in rounds once for both."""
    return x * y
'''
READS = {
    "z": "np.float64(z[i, j])",
    "y": "np.float64(y[i, j])",
    "g": "np.float64(da[i, j])",
}


def module_source(
    title: str,
    dtype: str,
    body: Sequence[str],
    tiers: Mapping[str, str] | None = None,
    arrays: int = 3,
) -> str:
    """Return a whole module: what its lines need, and the lines in their tiers."""
    others = "double" if dtype == "float64" else "wide"
    waves, whole = with_tables("\n".join(body))
    fits, whole = with_fits_called(whole)
    text = "\n".join(with_near_loops(in_tiers(whole.split("\n"), tiers or {}, others)))
    used = [
        *tiers_of(text),
        *["fits"] * bool(fits),
        *re.findall(r"\b(larger|smaller|place|at_place|is_moderate)\(", text),
    ]
    shown = re.sub(r"[^\w +\-*/().,<>=!:]", "?", title)
    lines = [f'"""{shown} ({dtype}). Generated; do not edit."""', ""]
    if re.search(r"\bsqrt\(", text):
        lines.append("from math import sqrt")
    lines += ["", "import numpy as np", "from numba import carray, njit"]
    if "copysign(" in text:
        lines.append("from numpy import copysign")
    if re.search(r"\b(inf|sign)\b", text):
        lines.append("from numpy import inf, sign")
    calls = ["kernel_signature", *["onward"] * ("onward(" in text)]
    lines += ["", f"from chainrule.kernels._call import {', '.join(calls)}"]
    lines += ["from chainrule.kernels._native import native"]
    if used:
        lines.append(f"from chainrule.kernels.elementary import {', '.join(dict.fromkeys(used))}")
    more = f", arrays={arrays}" * (arrays > 3)
    lines += ["", f'SIGNATURE = kernel_signature(np.dtype("{dtype}"){more})', ""]
    if "accumulate(" in text:
        lines.append(_ACCUMULATE)
    if re.search(r"(?<!\.)\bproduct\(", text):
        lines.append(_PRODUCT)
    return "\n".join([*lines, *waves, *fits, "", text, ""])


def kernel_source(
    name: str,
    says: str,
    parameters: tuple[str, ...],
    body: list[str],
    results: str = "output",
    at_once: int | None = None,
) -> list[str]:
    """Return a kernel that reads its parameters and then does what its body says."""
    vectors = "" if at_once is None else f", at_once={at_once}"
    reads = [f"numbers = carray(parameters, ({len(parameters)},))"] if parameters else []
    reads += [f"{parameter_name(p)} = numbers[{k}]" for k, p in enumerate(parameters)]
    return [
        "",
        "",
        f"@native(SIGNATURE{vectors})",
        f"def {name}(first, second, {results}, rows, columns, parameters):",
        f'    """{says}"""',
        *(f"    {line}" for line in [*reads, *body]),
    ]


def matrix_views(*names: tuple[str, str]) -> list[str]:
    """Return what makes matrices of pointers."""
    return [f"{name} = carray({pointer}, (rows, columns))" for name, pointer in names]


def more_arguments(parameters: tuple[str, ...]) -> str:
    """Return a function's arguments after its first ones: its parameters."""
    return "".join(f", {parameter_name(p)}" for p in parameters)
