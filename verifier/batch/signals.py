"""Signals that wait: what must not be cut in two is done whole, and the interruption comes after it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptions_held() -> Iterator[None]:
    """Keeps SIGINT and SIGTERM back until the end of the block; of several, the first counts.

    Other threads than the main one are never interrupted, and pass through.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[signal.Signals, Any] = {}
    try:
        for held in INTERRUPTIONS:
            before[held] = signal.getsignal(held)
            signal.signal(held, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:  # also where the block has failed: whoever tries again would never be interrupted
            signal.raise_signal(came[0])
