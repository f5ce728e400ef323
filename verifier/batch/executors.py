"""Where a run's work is done: in threads here, each with a warm process, or by the workers of a Dask cluster.

Both have an executor of `concurrent.futures`, and what they execute is the same (`isolation.run_isolated`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.batch.isolation import WarmProcesses, join
from verifier.errors import UsageError

CONNECT = 10.0
"""Seconds to wait for a cluster's scheduler."""
CLOSE = 5.0
"""Seconds for an answer of it later on, and for taking leave of it."""
AHEAD = 2
"""Jobs that local threads are given for each of them: enough that none waits, few to take back at the end."""


@dataclass(frozen=True)
class Workers:
    """Who does a run's work.

    Attributes:
        executor: takes the jobs.
        ahead: how many it is given at a time; None is all. A cluster is given all: it shares them out among its
            workers, those that join later included, and takes back what has not begun in one message.
        count: tells how many jobs they work on at a time just now; None where that is not known.
    """

    executor: Executor
    ahead: int | None
    count: Callable[[], int | None]


@contextmanager
def local_executor(workers: int) -> Iterator[Workers]:
    """Threads of this process, each with a warm process of its own; what is under way at the end is ended.

    Raises:
        UsageError: the system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("this system cannot fork", "bench", "use Linux, macOS or the Windows Subsystem for Linux")
    processes = WarmProcesses()
    pool = ThreadPoolExecutor(workers, "worker", join, (processes,))
    try:
        yield Workers(pool, AHEAD * workers, lambda: workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        processes.stop()


@contextmanager
def cluster_executor(place: str) -> Iterator[Workers]:
    """The workers of a running Dask cluster, which see the same files under the same names.

    A job whose worker dies is given to another; one that has cost several workers their life is given up. At the end
    what has not begun is taken back.

    Args:
        place: the scheduler's address (``tcp://host:8786``), or the path of its scheduler file.

    Raises:
        UsageError: Dask is not installed, or nobody answers.
    """
    client = _client(place)
    pool = client.get_executor(pure=False)  # a job is never another's, however alike they are
    try:
        yield Workers(pool, None, lambda: _threads(client))
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            if client.status == "running":
                pool.shutdown(wait=False)
        with contextlib.suppress(Exception):
            client.close(timeout=CLOSE)


def _threads(client: Any) -> int | None:
    """The threads of all workers that a cluster has just now."""
    with contextlib.suppress(Exception):  # the scheduler may be gone for a moment
        if client.status == "running":
            return sum(client.sync(client.scheduler.ncores, callback_timeout=CLOSE).values())
    return None


def _client(place: str) -> Any:
    try:
        from distributed import Client
        from distributed.comm import resolve_address
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        fix = "pip install distributed"
        raise UsageError("Dask distributed is not installed", "--cluster", fix) from error
    for logger in ("distributed", "distributed.client"):  # what matters comes back as an exception
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", VersionMismatchWarning)
    address = place if "://" in place else _address(Path(place))
    try:
        resolve_address(address)  # a client that cannot even begin would not end either
        return Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        cause = f"no Dask scheduler answers ({error})"
        raise UsageError(cause, f"--cluster {place}", "give its address or scheduler file") from error


def _address(file: Path) -> str:
    """The address in a scheduler file."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        cause = f"no scheduler file ({error.strerror if isinstance(error, OSError) else 'it has no address in it'})"
        fix = "give the file that 'dask scheduler --scheduler-file' has written, or tcp://host:port"
        raise UsageError(cause, f"--cluster {file}", fix) from error
