"""Profiles of property tests: a few fixed examples by default, many new ones on request."""

import gc
import signal
from pathlib import Path

from hypothesis import HealthCheck, settings

from chainrule.derivations.limits_in_time import _clock as _work_clock

# A shell that starts the tests in the background lets them ignore interrupts; some tests send one.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "fuzz", max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck)
)
# What SymPy and Numba make lives on: to look for garbage in it often takes a tenth of the time.
gc.set_threshold(100_000, 20, 50)

# How long an example takes depends on the machine, and says nothing of what is tested.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# What is found is tested, and not whether this machine finds it just before a limit: all limits
# are longer here than they are for users.
_work_clock._USUAL /= 1.5


def pytest_collection_modifyitems(items):
    """Begin with the examples, which take longest: at the end one process would wait for them."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent != here)
