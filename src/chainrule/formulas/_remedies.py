"""What to write for that which the formula language has no word or sign for."""

from __future__ import annotations

import re
from collections.abc import Collection

TYPESET = {
    "·": "Write * for a product.",
    "⋅": "Write * for a product.",
    "×": "Write * for a product.",
    "−": "Write - for a minus sign.",
    "²": "Write **2 for a square.",
    "³": "Write **3 for a cube.",
    "√": "Write sqrt(x) for a root.",
    "|": "Write abs(x) for an absolute value.",
    "≤": "Write <=.",
    "≥": "Write >=.",
    "≠": "Write !=.",
    "∑": "Write sum(x): it reaches over the units of a layer.",
    "Σ": "Write sum(x): it reaches over the units of a layer.",
    "π": "Write pi.",
    "\\": "Write plain text, not LaTeX: exp(x), sqrt(x), (x)/(y).",
}
_CALLS = {
    "ln": "Write log(x) for the natural logarithm.",
    "arctan": "Write atan(x).",
    "arcsinh": "Write asinh(x).",
    "pow": "Write x**y.",
    "square": "Write x**2.",
    "relu": "Write max(0, x).",
    "sigmoid": "Write 1/(1 + exp(-x)).",
    "logistic": "Write 1/(1 + exp(-x)).",
    "σ": "Write 1/(1 + exp(-x)).",
    "Φ": "Write (1 + erf(x/sqrt(2)))/2.",
    "softplus": "Write log(1 + exp(x)).",
    "softmax": "Write exp(x)/sum(exp(x)).",
    "erfc": "Write 1 - erf(x); it is evaluated without cancellation.",
    "maximum": "Write max(x, y).",
    "minimum": "Write min(x, y).",
    "clip": "Write min(max(x, low), high).",
    "clamp": "Write min(max(x, low), high).",
    "heaviside": "Write where(x > 0, 1, 0).",
    "silu": "Write x/(1 + exp(-x)).",
    "swish": "Write x/(1 + exp(-x)).",
    "gelu": "Write x/2*(1 + erf(x/sqrt(2))).",
    "leaky_relu": "Write max(alpha*x, x).",
    "elu": "Write where(x > 0, x, alpha*(exp(x) - 1)).",
    "logsumexp": "Write log(sum(exp(x))); the largest unit is taken out of it.",
    "logaddexp": "Write log(exp(x) + exp(y)).",
    "norm": "Write sqrt(sum(x**2)).",
    "std": "Write sqrt(mean((x - mean(x))**2)).",
    "var": "Write mean((x - mean(x))**2).",
    "log2": "Write log(x)/log(2).",
    "log10": "Write log(x)/log(10).",
    "exp2": "Write 2**x.",
    "cbrt": "Write sign(x)*abs(x)**(1/3).",
    "hypot": "Write sqrt(x**2 + y**2).",
    "tan": "Write sin(x)/cos(x).",
    "sinc": "Write where(x == 0, 1, sin(x)/x).",
    "sec": "Write 1/cos(x).",
    "sech": "Write 1/cosh(x).",
    "arctanh": "Write log((1 + x)/(1 - x))/2.",
    "atanh": "Write log((1 + x)/(1 - x))/2.",
    "arccosh": "Write log(x + sqrt(x**2 - 1)).",
    "acosh": "Write log(x + sqrt(x**2 - 1)).",
}


_DEFINITION = re.compile(r"\s*\w+\s*(\(\s*\w+\s*\)\s*)?=(?!=)")
_WITHOUT_BRACKETS = re.compile(r"\b([a-z]\w+)\s+(\w+)")
_WITHOUT_SIGN = re.compile(r"[\d)]\s*\w|\b\w\s+\w\b")
_OTHER_BRACKETS = re.compile(r"\w\s*\{")


def syntax_remedy(text: str, problem: str) -> str:
    """Return what to write in the place of text that Python cannot read."""
    if "decimal literal" in problem:  # 2z
        return "Write * between the factors of a product."
    if _DEFINITION.match(text):  # f(z) = z**2
        return "Write what stands right of the equals sign alone."
    if "never closed" in problem or "unmatched" in problem or "does not match" in problem:
        return "Every bracket needs its partner."
    if _OTHER_BRACKETS.search(text):  # exp{z}
        return "Write round brackets."
    if (words := _WITHOUT_BRACKETS.search(text)) and not {"if", "else", "and", "or", "not"} & {
        *words.groups()
    }:  # exp z
        return f"Write {words[1]}({words[2]}), or * between the factors of a product."
    if _WITHOUT_SIGN.search(text):  # (1 + z)z
        return "Write * between the factors of a product."
    return "Expected Python's expression syntax, such as z/(1 + exp(-z))."


def remedy_for(name: str, variables: Collection[str]) -> str:
    """Return how to write what is called by a name that is no function; empty if nobody knows."""
    if name in variables:  # z(1 + z)
        return "Write * between the factors of a product."
    return _CALLS.get(name, "")
