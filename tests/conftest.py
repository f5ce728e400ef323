"""Settings of all tests: how long an example takes says nothing of whether it is right."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("verifier", deadline=None)
settings.load_profile("verifier")
