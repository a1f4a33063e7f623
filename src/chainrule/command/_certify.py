"""``chainrule certify``: how near a function's kernels come to the truth."""

from __future__ import annotations

import json

from chainrule.command._messages import say
from chainrule.command._options import Precision
from chainrule.functions import activation


def certify(
    formula: str, parameters: dict[str, float], precision: Precision, as_json: bool
) -> bool:
    """Print a certificate; tell whether it is passed."""
    certificate = activation(formula, **parameters).certify(dtype=precision.value)
    if as_json:
        say(json.dumps(certificate.to_dict(), indent=2, allow_nan=False))
    else:
        say(str(certificate))
    return certificate.passed
