"""Tells a user of `verifier bench --cluster` when there is nobody to do the work, and when there is again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from verifier.cli.output import complain

if TYPE_CHECKING:
    from verifier.batch.executors import Workers
    from verifier.batch.progress import Tally

INTERVAL = 3.0
"""Seconds between two looks, at least. Workers that are missing at two of them are worth a word."""


class WorkerWatch:
    """Looks how many workers there are; the estimate of the time left goes by it.

    Args:
        workers: who does the work.
        tally: is told their number.
    """

    def __init__(self, workers: Workers, tally: Tally) -> None:
        self._workers, self._tally = workers, tally
        self._missing = 0
        self._next = 0.0

    def look(self, at_work: bool = False) -> None:
        """Looks, if it is time to, and says what has changed; at once where they were missing and are `at_work`."""
        if time.monotonic() < self._next and not (at_work and self._missing > 1):
            return
        count = self._workers.count()
        self._next = time.monotonic() + INTERVAL
        if count is None:
            return
        if count:
            self._tally.workers = count
            if self._missing > 1:
                complain(f"verifier: there are workers now: {count} at a time")
            self._missing = 0
            return
        self._missing += 1
        if self._missing == 2:
            complain("verifier: the cluster has no workers; waiting for some ('dask worker' starts them)")
