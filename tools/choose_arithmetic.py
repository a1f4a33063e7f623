"""Choose the arithmetic of the catalogue's functions by measuring, and keep the choices.

    python tools/choose_arithmetic.py [NAME ...]

They go to ``kernels/choices.json`` and are taken by a first call where the generated code is still
the one that was measured.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from chainrule.catalogue import activation_formula, activations
from chainrule.kernels._kept_choices import FILE
from chainrule.kernels._kernels import measured_choice

RESULTS = Path(__file__).parents[1] / "src" / "chainrule" / "kernels" / FILE


def main() -> None:
    """Choose for what is named, or for all."""
    names = sys.argv[1:] or [entry.name for entry in activations()]
    for name in names:
        question, choice, code = measured_choice(activation_formula(name))
        kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        kept[question] = {**asdict(choice), "code": code}
        text = json.dumps(dict(sorted(kept.items())), indent=1)
        RESULTS.write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {choice.says}", flush=True)


if __name__ == "__main__":
    main()
