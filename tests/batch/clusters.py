"""Dask clusters on this machine, started with the commands that users give."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
DASK = Path(sys.executable).parent / "dask"
PATIENCE = 60.0


class Cluster:
    """A scheduler and its workers, each worker with its nanny.

    Attributes:
        file: the scheduler file.
        scheduler, workers: the commands' processes; a worker's is its nanny.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0")
        self.workers: list[psutil.Popen] = []
        for _ in range(workers):
            self.add_worker()

    def add_worker(self) -> None:
        self.workers.append(self._start("worker", "--nthreads", "1", "--local-directory", self.folder))

    def _start(self, what: str, *options: object) -> psutil.Popen:
        common = ["--scheduler-file", self.file, "--host", "127.0.0.1", "--no-dashboard"]
        with (self.folder / f"{what}.log").open("ab") as log:
            return psutil.Popen(
                [str(DASK), what, *map(str, [*common, *options])],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def close(self) -> None:
        everything = [self.scheduler, *self.workers]
        for process in everything:
            kill_group(process)
        for process in everything:
            process.wait(PATIENCE)


def kill_group(process: psutil.Popen) -> None:
    """Ends a command with the processes that it started; those with a session of their own are not among them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    started = Cluster(folder, workers)
    try:
        until(started.file.is_file)
        yield started
    finally:
        started.close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
