"""The first fit on a machine compiles what it calls, and nothing else: its user waits for that."""

import os
import subprocess
import sys
from collections import Counter

import pytest

FIT = """
import numpy as np
from chainrule import FeedforwardClassifier
X = np.random.default_rng(0).standard_normal((60, 3))
model = FeedforwardClassifier((5,), max_iter=100, random_state=0)
model.fit(X, np.arange(60) % 3).predict(X)
from chainrule.networks import compiled
parts = ("muon_step", "normalise_columns", "normalise_by_statistics", "through_normalisation")
print([part for part in parts if getattr(compiled, part).dispatcher.overloads])
"""

SECOND = """
import sys
from chainrule import FeedforwardClassifier, FeedforwardRegressor
X = [[0.1 * k] for k in range(60)]
FeedforwardClassifier((5,), random_state=0).fit(X, [k % 2 for k in range(60)]).predict_proba(X)
FeedforwardRegressor(hidden_layer_sizes=(5,), random_state=0).fit(X, range(60)).predict(X)
heavy = ("sympy", "mpmath", "matplotlib", "chainrule.derivations", "chainrule.documents")
print([name for name in heavy if name in sys.modules])
"""


def test_a_fit_derives_nothing_once_its_kernels_are_kept():
    """SymPy and the derivations take longer to import than all else that a small fit does."""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SECOND], capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip
        # Where other tests kept them, the first process finds them.
        if done.stdout == "[]\n":
            return
    pytest.fail(done.stdout + done.stderr)


@pytest.mark.long
def test_a_first_fit_compiles_what_it_calls(tmp_path):
    """Two forward passes, the way back through the hidden layer, the cost, products and loops."""
    environment = {**os.environ, "CHAINRULE_CACHE": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "[]\n", done.stderr
    compiled = Counter(
        path.name.split(".")[1].rsplit("-", 1)[0] for path in tmp_path.glob("*/*.code")
    )
    expected = "forward forward backward value_and_gradient run_batches run_rows _of_double"
    assert compiled == Counter(expected.split())
