"""Choose the arithmetic of the catalogue's functions by measuring, and keep the choices.

    python tools/choose_arithmetic.py [--vectors] [--spare] [NAME ...]

They go to ``kernels/choices.json`` and are taken by a first call where the generated code is still
the one that was measured; polynomials of functions in pieces go to ``kernels/pieces.json``. With
``--vectors`` only the number of vectors that kernels take at a time is measured anew. What goes to
the ends of the bounds is for `sweep_catalogue.py` to confirm; with ``--spare`` nothing does.
"""

from __future__ import annotations

import argparse
import json
import timeit
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.catalogue import activation_formula, activations
from chainrule.formulas import Formula
from chainrule.kernels import code_digest
from chainrule.kernels._arrays import apply_kernel
from chainrule.kernels._kept_choices import FILE, FUNCTIONS, Choice, kept_choice
from chainrule.kernels._kernels import exactly, kernels_in, measured_choice
from chainrule.kernels._modules import KERNELS as KERNEL_OF
from chainrule.kernels.compiling._vectors import AT_ONCE
from chainrule.kernels.fitting import _kept_pieces
from chainrule.kernels.fitting._kept_pieces import name_of_pieces
from chainrule.kernels.fitting._piece_fits import in_pieces

SLOPES = (False, True)  # of the functions, in their order
ELEMENTS, CALLS, ROUNDS = 8192, 10, 100  # of which the quickest counts
WORTH = 0.95  # of the time that they take by default

KERNELS = Path(__file__).parents[1] / "src" / "chainrule" / "kernels"


def main() -> None:
    """Choose for what is named, or for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="functions of the catalogue")
    parser.add_argument("--vectors", action="store_true", help="measure only these")
    parser.add_argument("--spare", action="store_true", help="leave something of the bounds")
    arguments = parser.parse_args()
    for name in arguments.names or [entry.name for entry in activations()]:
        formula = activation_formula(name)
        if arguments.vectors:
            kept = kept_choice(exactly(formula))
            if kept is not None:
                _keep_choice(formula, kept[0])
            continue
        before = dict.fromkeys(name_of_pieces(formula, slope=slope) for slope in SLOPES)
        if formula.parameters:
            before |= {
                name_of_pieces(formula, slope=slope): asdict(own)
                for slope in SLOPES
                if (own := in_pieces(formula, slope=slope)) is not None
            }
        _keep(_kept_pieces.FILE, before)
        _kept_pieces._kept.cache_clear()
        choice = measured_choice(formula) if arguments.spare else _cheapest(formula)
        _keep_choice(formula, choice)
        after = {
            name_of_pieces(formula, slope=slope): asdict(in_pieces(formula, slope=slope))
            if choice.tiers[function] == "pieces"
            else None
            for function, slope in zip(FUNCTIONS, SLOPES, strict=True)
        }
        _keep(_kept_pieces.FILE, after)
        print(f"{name}: {choice.says}", flush=True)


def _cheapest(formula: Formula) -> Choice:
    """Return the choice that leaves something to spare, or what is quicker and leaves less."""
    choice, other = measured_choice(formula), measured_choice(formula, before_a_sweep=True)
    names = [name for name in FUNCTIONS if choice.tiers[name] != other.tiers[name]]
    times = _times(formula, [choice, other])
    quicker = [name for name in names if times[name][1] < WORTH * times[name][0]]
    zeros = choice.zeros | {name: pairs for name, pairs in other.zeros.items() if name in quicker}
    said = zip(FUNCTIONS, choice.says.split(", "), other.says.split(", "), strict=True)
    return Choice(
        choice.tiers | {name: other.tiers[name] for name in quicker},
        zeros,
        ", ".join(less if name in quicker else more for name, more, less in said),
    )


def _keep_choice(formula: Formula, choice: Choice) -> None:
    """Keep a choice, with the number of vectors at a time that is quickest."""
    code = code_digest(kernels_in(formula, "float32", choice).source)
    if not formula.is_layer_coupled:
        choice = replace(choice, at_once=_quickest(formula, choice))
        assert code_digest(kernels_in(formula, "float32", choice).source) == code
        print(f"{formula.text}: vectors at a time {choice.at_once}", flush=True)
    _keep(FILE, {exactly(formula): {**asdict(choice), "code": code}})


def _quickest(formula: Formula, choice: Choice) -> dict[str, int]:
    """Return how many vectors at a time are quicker than as many as are taken by default."""
    counts = (AT_ONCE, 2, 1)
    times = _times(
        formula, [replace(choice, at_once=dict.fromkeys(FUNCTIONS, count)) for count in counts]
    )
    best = {name: min(range(len(counts)), key=times[name].__getitem__) for name in FUNCTIONS}
    return {name: counts[k] for name, k in best.items() if times[name][k] < WORTH * times[name][0]}


def _times(formula: Formula, choices: Sequence[Choice]) -> dict[str, list[float]]:
    """Return how long the kernels of each function take in turn, choice by choice."""
    z = np.random.default_rng(0).normal(scale=2.0, size=ELEMENTS).astype(np.float32)
    out, slopes = np.empty_like(z), np.ones_like(z)
    tried = [kernels_in(formula, "float32", choice) for choice in choices]
    found = {}
    for name in FUNCTIONS:
        first = z if name == "activation" else slopes
        runs = [
            partial(apply_kernel, getattr(kernels, KERNEL_OF[name]), first, z, out)
            for kernels in tried
        ]
        best = [float("inf")] * len(runs)
        for _ in range(ROUNDS):
            for k, run in enumerate(runs):
                best[k] = min(best[k], timeit.timeit(run, number=CALLS))
        found[name] = best
    return found


def _keep(file: str, entries: Mapping[str, Any]) -> None:
    """Write entries into a file of the package; None takes one out."""
    path = KERNELS / file
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {name: entry for name, entry in {**kept, **entries}.items() if entry is not None}
    path.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
