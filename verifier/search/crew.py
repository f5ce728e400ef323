"""Processes that share the work of a search.

Bounding a batch is thousands of NumPy calls on small arrays, between which a thread holds the interpreter's lock: two
threads did 1.1 to 1.4 times the work of one, two processes 1.7 to 1.9 times. They are forked, so that they have
network, options and caches at no cost; only batches and results travel.

A process that is lost (killed for its memory, say) loses nothing: what it had is done here, and the crew goes on
without it.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeAlias

from threadpoolctl import threadpool_limits

from verifier.search.allocation import keep_freed_memory

Work: TypeAlias = Callable[[Any], Any]
"""A function of one part of the work; it may keep caches and statistics, which each process then has of its own."""

WARM_UP = 0.1
"""Seconds a crew works alone before it forks: most searches are over by then, and a fork takes 10 to 20 ms."""


@dataclass(eq=False)
class _Member:
    """One process, and what it was given."""

    process: BaseProcess
    pipe: Connection
    job: tuple[int, Any] | None = None


class Crew:
    """A context in which functions are applied to parts of the work, several at a time.

    Args:
        functions: all that will be applied; processes inherit them.
        processes: how many; 1 does all work here, as does a system that cannot fork.
        warm_up: seconds to work alone first.

    Attributes:
        lost: processes that ended before their time.
    """

    def __init__(self, functions: Sequence[Work], processes: int, warm_up: float = WARM_UP) -> None:
        self._functions = tuple(functions)
        self._processes = processes if hasattr(os, "fork") else 1
        self._alone_until = time.monotonic() + warm_up
        self._members: list[_Member] = []
        self._done: deque[tuple[Any, Any]] = deque()
        self._forked = False
        self.lost = 0

    def __enter__(self) -> Crew:
        keep_freed_memory()
        self._limits = threadpool_limits(limits=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.process.kill()
            member.pipe.close()
        for member in self._members:
            member.process.join()
        self._members = []
        self._limits.restore_original_limits()

    @property
    def busy(self) -> int:
        """Parts that were put and not yet taken."""
        return len(self._done) + sum(member.job is not None for member in self._members)

    @property
    def free(self) -> int:
        """Parts that may be put now."""
        self._fork_when_due()
        if not self._members:
            return int(not self._done)
        return sum(member.job is None for member in self._members)

    @property
    def under_way(self) -> list[Any]:
        """The parts that were put and not yet taken."""
        return [part for part, _ in self._done] + [m.job[1] for m in self._members if m.job is not None]

    def put(self, function: Work, part: Any) -> None:
        """Gives a part to a free process; without processes it is done here and now."""
        job = self._functions.index(function), part
        self._fork_when_due()
        member = next((m for m in self._members if m.job is None), None)
        if member is None:
            self._done.append((part, function(part)))
            return
        member.job = job
        try:
            member.pipe.send(job)
        except OSError:
            self._done.append(self._taken_over(member))

    def take(self, seconds: float = math.inf) -> tuple[Any, Any] | None:
        """A part that is done, and its result; None if none is within so many seconds, or none was put.

        Raises:
            Exception: what the function raised.
        """
        if self._done:
            return self._done.popleft()
        pipes = {member.pipe: member for member in self._members if member.job is not None}
        limit = seconds if seconds < math.inf else None
        for pipe in wait(list(pipes), limit) if pipes else ():
            return self._received(pipes[pipe])  # type: ignore[index]
        return None

    def map(self, function: Work, parts: Sequence[Any]) -> list[Any]:
        """The results for all parts, in order; nothing else may be under way."""
        assert not self.busy
        waiting, results = deque(parts), {}
        while waiting or self.busy:
            while waiting and self.free:
                self.put(function, waiting.popleft())
            done = self.take()
            if done is not None:
                results[id(done[0])] = done[1]
        return [results[id(part)] for part in parts]

    def _received(self, member: _Member) -> tuple[Any, Any]:
        assert member.job is not None
        try:
            failed, result = member.pipe.recv()
        except (EOFError, OSError):
            return self._taken_over(member)
        (_, part), member.job = member.job, None
        if failed:
            raise result
        return part, result

    def _taken_over(self, member: _Member) -> tuple[Any, Any]:
        """Does here what a lost process had to do."""
        assert member.job is not None
        number, part = member.job
        self._members.remove(member)
        member.pipe.close()
        self.lost += 1
        return part, self._functions[number](part)

    def _fork_when_due(self) -> None:
        if self._forked or self._processes < 2 or time.monotonic() < self._alone_until:
            return
        self._forked = True
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            # Python warns of forks beside threads, as a lock that one of them holds stays locked in the child. Ours
            # touches nothing but NumPy and its pipe.
            warnings.simplefilter("ignore", DeprecationWarning)
            for _ in range(self._processes):
                ours, theirs = context.Pipe()
                not_theirs = [ours, *(member.pipe for member in self._members)]
                process = context.Process(target=_serve, args=(theirs, not_theirs, self._functions), daemon=True)
                process.start()
                theirs.close()
                self._members.append(_Member(process, ours))


def _serve(pipe: Connection, not_ours: Sequence[Connection], functions: Sequence[Work]) -> None:
    """The life of a process: does what it is given until the other end of its pipe is closed."""
    signal.set_wakeup_fd(-1)  # the parent's, whose watchdog is not to hear of this process's signals
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in not_ours:  # or this process would keep the pipes of others open after the end of their owner
        other.close()
    while True:
        try:
            number, part = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = False, functions[number](part)
        except Exception as error:
            answer = True, error
        try:
            pipe.send(answer)
        except OSError:
            return
