"""In which arithmetic generated functions run.

A *tier* is a format, a set of elementary functions, and what is done about rounding errors:

- ``single``: float32;
- ``fitted``: likewise, with a polynomial next to each zero;
- ``divided``: likewise, with the rounding errors kept of quotients, of what they are divided by,
  and of the arguments of exponentials;
- ``compensated``: likewise, with those of all sums, products and quotients kept;
- ``pieces``: float32, polynomials on a few intervals in place of the formula;
- ``narrow``: float64, with functions good for what is rounded to float32 at once;
- ``wide``: float64, with functions good for what cancels a little before;
- ``narrow_fitted``: as ``narrow``, with a polynomial next to each zero;
- ``double``: float64 to the last places.

A tier that keeps rounding errors may name operations of which it does not, as they are counted:
``compensated but 0 2``.

Source is written without a tier; here it gets one, function by function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chainrule.kernels.source._compensated import LARGEST, FloatFunction
from chainrule.kernels.source._lines import ELEMENTARY
from chainrule.kernels.source._thresholds import with_exact_parameters, with_places

TIERS = (
    "single",
    "fitted",
    "divided",
    "compensated",
    "pieces",
    "narrow",
    "wide",
    "narrow_fitted",
    "double",
)  # in order of cost

_ON_PAIRS = re.compile(r"\bpairs\.(?:add|subtract|product|scaled|multiply|divide|quotient)")
_ERFC_OF_PAIRS = re.compile(r"\bpairs\.(?:raised_)?erfc\(")
_MOST_ON_PAIRS, _OF_ERFC = 9, 6  # operations, and how many make up an error function
# Of layer-coupled functions, whose sums need more than float32: with ``single`` they have it.
COUPLED_TIERS = ("single", "narrow", "wide", "double")
_CALLS = re.compile(rf"(?<![\w.])({'|'.join(ELEMENTARY)})\(")
_NUMBERS = re.compile(r"(?<![\w.])(\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+|inf|nan)(?![\w.])")
_TABLE = re.compile(r"\w+ = tables\.|\)\)$")
# What is divided by and the same for all elements: a number of a formula's parameters.
_BY_PARAMETERS = re.compile(r" / (p_\w+|\((?=[^()]*\bp_)(?:p_\w+|[\d.e*+/ -])+\))")
_READS = re.compile(r"\bnumbers\[\d+\]")
IN_FLOATS = ("single", "fitted", "divided", "compensated", "pieces")
_WITH_FITS = ("fitted", "divided", "compensated", "narrow_fitted")
_BUT = " but "
_KEPT = {"divided": "quotients", "compensated": "everything"}


def in_tiers(lines: Sequence[str], tiers: Mapping[str, str], others: str) -> list[str]:
    """Return generated source with every function in its tier.

    Parameters
    ----------
    lines : sequence of str
        Function after function, each from its decorator on.
    tiers : mapping of str to str
        By the functions' names.
    others : str
        The tier of functions that are not named.
    """
    result: list[str] = []
    tier, function, is_scalar, is_table = others, None, False, False
    for line in lines:
        head = re.match(r"def (\w+)\(", line)
        is_table = line.endswith("((") if line[:1].strip() else is_table
        if is_table or _TABLE.match(line):
            result.append(line)
            continue
        if head is not None:
            tier = tiers.get(head.group(1), others)
            in_floats = is_scalar and without_exceptions(tier) in IN_FLOATS
            function = _float_function(tier) if in_floats else None
        is_scalar = line.startswith("@njit")
        if _is_text(line):
            result.append(line)
        elif function is not None and line:
            result += function.lines(line)
        else:
            result.append(_in_tier(line, format_of(tier)))
    of_floats = [name for name in tiers if without_exceptions(tiers[name]) in IN_FLOATS]
    return with_exact_parameters(result, of_floats)


def _float_function(tier: str) -> FloatFunction:
    base, _, numbers = tier.partition(_BUT)
    return FloatFunction(keeps=_KEPT.get(base, "nothing"), rounded=[*map(int, numbers.split())])


def but(tier: str, operations: Sequence[int]) -> str:
    """Return a tier that keeps rounding errors, but not those of given operations."""
    return f"{tier}{_BUT}{' '.join(map(str, operations))}" if operations else tier


def described(tier: str) -> str:
    """Return a tier as a person reads it."""
    base, _, numbers = tier.partition(_BUT)
    count = len(numbers.split())
    return f"{base} but for {count} operation{'s' * (count > 1)}" if count else base


def without_exceptions(tier: str) -> str:
    """Return the tier of which another one names exceptions."""
    return tier.partition(_BUT)[0]


def format_of(tier: str) -> str:
    """Return the set of functions that a tier uses, and in whose format it reads and writes."""
    tier = without_exceptions(tier)
    return "single" if tier in IN_FLOATS else tier.removesuffix("_fitted")


def has_fits(tier: str) -> bool:
    """Tell whether a function is a polynomial next to its zeros."""
    return without_exceptions(tier) in _WITH_FITS


def keeps_errors(tier: str) -> bool:
    """Tell whether a tier keeps rounding errors."""
    return without_exceptions(tier) in _KEPT


def body_of(source: str, function: str) -> str:
    """Return the lines of one function of a module."""
    return source.split(f"def {function}(")[1].split("\ndef ")[0]


def is_dear(body: str) -> bool:
    """Tell whether a function keeps so many rounding errors that float64 is faster."""
    operations = len(_ON_PAIRS.findall(body)) + _OF_ERFC * len(_ERFC_OF_PAIRS.findall(body))
    return operations > _MOST_ON_PAIRS


def tiers_of(text: str) -> list[str]:
    """Return the sets of functions that a source calls."""
    return [
        part
        for part in ("pairs", "tables", "thresholds", "turns", *TIERS)
        if re.search(rf"\b{part}\.\w", text)
    ]


def _is_text(line: str) -> bool:
    return line.lstrip().startswith(('"""', "@", "#", "def "))


def _in_tier(line: str, tier: str) -> str:
    if tier == "single":
        return in_single(line)
    line = with_places(line)
    if tier != "double":
        # The reciprocal is taken once: what it rounds is far below float32.
        line = _BY_PARAMETERS.sub(r" * (1.0 / \1)", line)
    return _CALLS.sub(rf"{tier}.\1(", line)


def in_single(line: str) -> str:
    """Return a line of source in float32."""
    line = _CALLS.sub(r"single.\1(", line)
    line = _NUMBERS.sub(lambda match: f"np.float32({_bounded(match.group(1))})", line)
    line = _READS.sub(lambda match: f"np.float32({match.group(0)})", line)
    return line.replace("np.float64(", "np.float32(")


def _bounded(number: str) -> str:
    """Return a number that float32 can hold, of those by which infinite `z` is bounded too."""
    return repr(LARGEST) if LARGEST < float(number) < float("inf") else number
