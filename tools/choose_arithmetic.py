"""Choose the arithmetic of the catalogue's functions by measuring, and keep the choices.

    python tools/choose_arithmetic.py [NAME ...]

They go to ``kernels/choices.json`` and are taken by a first call where the generated code is still
the one that was measured; polynomials of functions in pieces go to ``kernels/pieces.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chainrule.catalogue import activation_formula, activations
from chainrule.kernels import _kept_pieces
from chainrule.kernels._kept_choices import FILE, FUNCTIONS
from chainrule.kernels._kept_pieces import name_of_pieces
from chainrule.kernels._kernels import measured_choice
from chainrule.kernels._piece_fits import in_pieces

SLOPES = (False, True)  # of the functions, in their order

KERNELS = Path(__file__).parents[1] / "src" / "chainrule" / "kernels"


def main() -> None:
    """Choose for what is named, or for all."""
    names = sys.argv[1:] or [entry.name for entry in activations()]
    for name in names:
        formula = activation_formula(name)
        before = dict.fromkeys(name_of_pieces(formula, slope=slope) for slope in SLOPES)
        if formula.parameters:
            before |= {
                name_of_pieces(formula, slope=slope): asdict(own)
                for slope in SLOPES
                if (own := in_pieces(formula, slope=slope)) is not None
            }
        _keep(_kept_pieces.FILE, before)
        _kept_pieces._kept.cache_clear()
        question, choice, code = measured_choice(formula)
        _keep(FILE, {question: {**asdict(choice), "code": code}})
        after = {
            name_of_pieces(formula, slope=slope): asdict(in_pieces(formula, slope=slope))
            if choice.tiers[function] == "pieces"
            else None
            for function, slope in zip(FUNCTIONS, SLOPES, strict=True)
        }
        _keep(_kept_pieces.FILE, after)
        print(f"{name}: {choice.says}", flush=True)


def _keep(file: str, entries: Mapping[str, Any]) -> None:
    """Write entries into a file of the package; None takes one out."""
    path = KERNELS / file
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {name: entry for name, entry in {**kept, **entries}.items() if entry is not None}
    path.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
