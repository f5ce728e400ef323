"""Exit statuses beyond those of `verifier verify`."""

from __future__ import annotations

EXIT_CONTRADICTION = 4
"""Two methods or runs contradict each other."""
EXIT_WRONG = 5
"""A verdict contradicts the known one."""
EXIT_INTERRUPTED = 130
"""Ended by Ctrl-C or SIGTERM; what was finished is kept."""
