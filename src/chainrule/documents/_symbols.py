"""The Greek letters, by the names that formulas give them, and the indices of nested sums."""

from __future__ import annotations

GREEK_LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "zeta": "ζ",
    "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
# What stands in formulas for a Greek letter, since Python keeps its name or habit shortens it.
_SHORT = {"lam": ("λ", r"\lambda"), "eps": ("ε", r"\varepsilon")}
GREEK_LETTERS |= {name: letter for name, (letter, _) in _SHORT.items()}
GREEK_COMMANDS = {
    **{name: f"\\{name}" for name in GREEK_LETTERS if name != "pi"},
    **{name: command for name, (_, command) in _SHORT.items()},
}

# The units within a reduction within another one have an index of their own.
REDUCED_OVER = ("l", "r", "s")
