"""Run the measurements: ``make bench``, or ``python -m benchmarks kernels|training|… [options]``.

Each library runs in a process of its own and they take turns; tables show medians over the rounds
and how many times as long as chainrule every other library takes. Text, figures and pictures are
kept in a folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import _turns, datasets, kernels, prediction, training
from chainrule.catalogue import activations

RESULTS = Path(__file__).parent / "results"
PARTS = ("kernels", "training", "prediction", "datasets")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", *PARTS), default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each library and kernel")
    parser.add_argument("--functions", default=",".join(kernels.FUNCTIONS), help="names, or all")
    parser.add_argument("--sizes", default=",".join(map(str, kernels.SIZES)))
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--libraries", help="names separated by commas; all that are installed")
    parser.add_argument(
        "--cases",
        default="",
        help="of training or prediction: texts in their names, separated by commas",
    )
    parser.add_argument("--folder", type=Path, default=RESULTS, help="for figures and pictures")
    chosen = parser.parse_args()
    named = chosen.libraries.split(",") if chosen.libraries else None
    if chosen.what in ("all", "kernels"):
        names = [entry.name for entry in activations()]
        kernels.run(
            tuple(names if chosen.functions == "all" else chosen.functions.split(",")),
            tuple(map(int, chosen.sizes.split(","))),
            tuple(chosen.dtypes.split(",")),
            tuple(named or kernels.ALL_LIBRARIES),
            chosen.rounds,
            chosen.seconds,
            chosen.folder,
        )
    for part in (training, prediction):
        name = part.__name__.rpartition(".")[2]
        if chosen.what in ("all", name):
            wanted = chosen.cases.split(",")
            cases = [case for case in part.CASES if any(text in case for text in wanted)]
            if not cases:
                parser.error(f"no case holds {chosen.cases!r}; there are {', '.join(part.CASES)}")
            _turns.run(name, named or part.LIBRARIES, cases, chosen.rounds, chosen.folder)
    if chosen.what in ("all", "datasets"):
        datasets.run(chosen.folder)


if __name__ == "__main__":
    main()
