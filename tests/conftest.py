"""Profiles of property tests: a few fixed examples by default, many new ones on request."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck)
)
