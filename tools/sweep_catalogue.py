"""Sweep the element-wise functions of the catalogue over every float32, and keep what is found.

    python tools/sweep_catalogue.py [--threads N] [NAME ...]

Results go to ``certificates/sweeps.json`` function by function; what stands there for the same
source of kernels is not swept again, and a sweep that is cut off goes on from where it was. Besides
the whole, the figures of a fixed sample of the inputs are kept, which the tests compare.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chainrule.catalogue import activation_formula, activations
from chainrule.certificates import sweep
from chainrule.certificates._sweep import SAMPLE, source_digest
from chainrule.kernels import cache_folder

RESULTS = Path(__file__).parents[1] / "src" / "chainrule" / "certificates" / "sweeps.json"


def main() -> int:
    """Sweep what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="functions of the catalogue")
    parser.add_argument("--threads", type=int, help="as many as there are processors by default")
    arguments = parser.parse_args()
    names = arguments.names or [entry.name for entry in activations()]
    failed = []
    for name in names:
        formula = activation_formula(name)
        if formula.is_layer_coupled:
            continue
        digest = source_digest(formula)
        if _kept().get(name, {}).get("source") == digest:
            continue
        key = hashlib.sha256(f"{formula} {digest}".encode()).hexdigest()[:32]
        whole = sweep(formula, state=cache_folder() / f"{key}.sweep", threads=arguments.threads)
        sample = sweep(formula, parts=SAMPLE, threads=arguments.threads)
        print(f"{name}: {whole}", flush=True)
        failed += [] if whole.passed else [name]
        # Another sweep may have ended meanwhile.
        kept = {**_kept(), name: {**asdict(whole), "sample": asdict(sample)}}
        text = json.dumps(dict(sorted(kept.items())), indent=1)
        RESULTS.write_text(text + "\n", encoding="utf-8")
    if failed:
        print(f"not within the bounds: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _kept() -> dict[str, Any]:
    found: dict[str, Any] = {}
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else found


if __name__ == "__main__":
    sys.exit(main())
