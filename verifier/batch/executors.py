"""Where a run's work is done: in threads here, each with a warm process, or by the workers of a Dask cluster.

Both are executors of `concurrent.futures`, and what they execute is the same (`isolation.run_isolated`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from verifier.batch.isolation import stop_all
from verifier.errors import UsageError

CONNECT = 30.0
"""Seconds to wait for a cluster's scheduler."""


@contextmanager
def local_executor(workers: int) -> Iterator[Executor]:
    """Threads of this process, each with a warm process of its own; what is under way at the end is ended.

    Raises:
        UsageError: the system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("this system cannot fork", "bench", "use Linux, macOS or the Windows Subsystem for Linux")
    pool = ThreadPoolExecutor(workers, "worker")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        stop_all()


@contextmanager
def cluster_executor(place: str) -> Iterator[Executor]:
    """The workers of a running Dask cluster, which see the same files under the same names.

    Args:
        place: the scheduler's address (``tcp://host:8786``), or the path of its scheduler file.

    Raises:
        UsageError: Dask is not installed, or nobody answers.
    """
    with _client(place) as client:
        pool = client.get_executor()
        try:
            yield pool
        finally:
            pool.shutdown(wait=False)


def _client(place: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        fix = "install it with: pip install 'verifier[cluster]'"
        raise UsageError("Dask distributed is not installed", "--cluster", fix) from error
    where = {"address": place} if "://" in place else {"scheduler_file": place}
    try:
        return Client(**where, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        cause = f"no Dask scheduler answers ({error})"
        raise UsageError(cause, f"--cluster {place}", "give its address or scheduler file") from error
