"""The watchdog ends a process whose main thread is in a call that does not come back."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

STUCK = """
import hashlib
from verifier.batch.watchdog import Watchdog

def finish():
    print("ended", watchdog.interrupted, flush=True)
    return 5

watchdog = Watchdog({seconds}, print)
watchdog.on_timeout(finish)
with watchdog:
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes, in which no Python code runs
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_while_the_main_thread_computes(number: signal.Signals) -> None:
    with stuck(1e12) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        assert process.communicate(timeout=60) == (f"ended {number == signal.SIGINT}\n", None)
    assert process.returncode == 5


def test_the_time_is_up_while_the_main_thread_computes() -> None:
    with stuck(0.1) as process:
        assert process.communicate(timeout=60) == ("begun\nended False\n", None)
    assert process.returncode == 5


@contextmanager
def stuck(seconds: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", STUCK.format(seconds=seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
