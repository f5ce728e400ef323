"""Keeps a timeout to within a second, whatever a solver is doing.

Methods look at their deadline between steps, and solvers get a time limit. Should one not come back in time, a thread
writes the answer known so far and ends the process. The same happens on SIGTERM and SIGINT: what is known is not lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from verifier.errors import EXIT_DEFECT, EXIT_USAGE, VerifierError

GRACE = 0.4
"""Seconds after the timeout that the method may take to come to its own end."""


class Watchdog:
    """A context in which the process ends at `seconds` plus `GRACE` at the latest.

    Args:
        seconds: the timeout, counted from the making.
        complain: is told what goes wrong at the end.
        on_signals: whether SIGTERM and SIGINT are such an end too; else they do what they did before. Once there is an
            answer they change nothing, and where the context ends with `sys.exit`, to the end of the process.
    """

    def __init__(self, seconds: float, complain: Callable[[str], None], on_signals: bool = True) -> None:
        self._complain = complain
        self._signals = (signal.SIGTERM, signal.SIGINT) if on_signals else ()
        self._started = time.monotonic()
        self._end = self._started + seconds
        self._finish: Callable[[], int] = lambda: 3
        self._claimed = threading.Lock()
        self._over = False
        self._wake = threading.Event()
        self._handlers: dict[int, Any] = {}
        self._first = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the making."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds until the timeout, at least a millisecond."""
        return max(0.001, self._end - time.monotonic())

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C (SIGINT) is what ends the run, before its time was up and before it had an answer."""
        return self._first == signal.SIGINT

    def on_timeout(self, finish: Callable[[], int]) -> None:
        """Sets what is done when the time is up; it returns the exit status."""
        self._finish = finish

    def claim(self) -> None:
        """Takes the right to answer for the main thread; where the time was up first, waits for the end."""
        if not self._claimed.acquire(blocking=False):
            threading.Event().wait()
        self._rest()

    def _rest(self) -> None:
        """The main thread answers from here on."""
        self._over = True
        self._wake.set()

    def __enter__(self) -> Watchdog:
        for number in self._signals:
            with contextlib.suppress(ValueError):  # only the main thread may; elsewhere there is nothing to catch
                self._handlers[number] = signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest()
        for number, handler in self._handlers.items():
            # A process that is about to end with its answer's status is not to end with a signal's instead.
            signal.signal(number, signal.SIG_IGN if kind is SystemExit else handler)

    def _signalled(self, number: int, _: object) -> None:
        if not self._over and not self._wake.is_set():
            self._first = number
        self._wake.set()

    def _watch(self) -> None:
        self._wake.wait(min(self.remaining + GRACE, threading.TIMEOUT_MAX))
        if self._over or not self._claimed.acquire(blocking=False):
            return
        status = EXIT_DEFECT
        try:
            status = self._finish()
        except VerifierError as error:
            self._complain(f"verifier: {error}")
            status = EXIT_USAGE
        except Exception:
            self._complain(traceback.format_exc())
        finally:
            os._exit(status)
