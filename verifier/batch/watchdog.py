"""Keeps a timeout to within a second, whatever a solver is doing.

Methods look at their deadline between steps, and solvers get a time limit. Should one not come back in time, a thread
writes the answer known so far and ends the process. The same happens on SIGTERM and SIGINT: what is known is not lost.
Python runs a signal's handler in the main thread, and only once that is back from a solver or a blocked read; so the
thread is woken through a pipe that the interpreter writes to as the signal comes (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import contextlib
import os
import selectors
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
HOUR = 3600.0
"""Seconds waited for at a time; the system bounds them."""


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
        self._handlers: dict[int, Any] = {}
        self._first = 0
        self._reader = self._writer = self._wakeup_before = -1
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

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
        os.write(self._writer, b"\0")

    def __enter__(self) -> Watchdog:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        with contextlib.suppress(ValueError):  # only the main thread may; elsewhere there is nothing to catch
            for number in self._signals:
                self._handlers[number] = signal.signal(number, lambda *_: None)
            if self._signals:
                self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest()
        for number, handler in self._handlers.items():
            # A process that is about to end with its answer's status is not to end with a signal's instead.
            signal.signal(number, signal.SIG_IGN if kind is SystemExit else handler)
        if self._handlers:
            signal.set_wakeup_fd(self._wakeup_before)
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            while not self._over and (seconds := self._end + GRACE - time.monotonic()) > 0:
                if selector.select(min(seconds, HOUR)):
                    number = os.read(self._reader, 1)[0]
                    if number in self._signals:  # others may be caught elsewhere
                        self._first = number
                        break
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
