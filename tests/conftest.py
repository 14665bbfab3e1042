"""What holds for all tests: Hypothesis does not judge time, which on a busy machine says nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("moorage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("moorage")
