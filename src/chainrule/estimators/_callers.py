"""Who called: a person, or something that fits many estimators."""

from __future__ import annotations

import sys


def is_one_of_many() -> bool:
    """Tell whether joblib called, as it does for searches, cross-validations and ensembles.

    Nobody gets to see the network of such a fit that was interrupted; its score would be taken for
    that of a whole one, and the next fit would follow.
    """
    frame = sys._getframe()
    while (caller := frame.f_back) is not None:
        frame = caller
        if frame.f_globals.get("__name__") == "joblib.parallel":
            return True
    return False
