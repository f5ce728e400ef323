"""Hashes files in a process of its own, so that no file can take this one's memory, or keep it waiting for ever.

It is started as ``python -m verifier.batch.hashing FD`` with one end of a pipe: a kind and a path in, then signs of
life and in the end the hash, or the `OSError`, out.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import MappingProxyType

from verifier.batch.contents import network_hash, property_hash
from verifier.batch.processes import started
from verifier.errors import UsageError

SILENCE = 30.0
"""Seconds without a sign of life after which a file counts as one that cannot be read."""
LONGEST = 600.0
"""Seconds for one file."""
MEMORY = 8 << 30
"""Bytes that the process may ask for: a model of the largest size is held twice while it is looked through."""
ALIVE = "alive"
KINDS = MappingProxyType({"network": network_hash, "property": property_hash})


def hashes(kind: str, paths: Iterable[Path]) -> Mapping[Path, str]:
    """The hash of each file.

    Args:
        kind: ``network`` or ``property``, see `contents`.
        paths: the files.

    Raises:
        UsageError: a file cannot be read, or not within `SILENCE`, `LONGEST` and `MEMORY`.
    """
    ours, theirs = Pipe()
    with ours:
        with theirs:
            process = _started(theirs)
        try:
            return {path: _hash_of(ours, kind, path) for path in paths}
        finally:
            process.kill()
            process.wait()


def _started(theirs: Connection) -> subprocess.Popen[bytes]:
    try:
        return started("verifier.batch.hashing", theirs)
    except OSError as error:
        cause = f"no process can be started to read files in ({error.strerror or error})"
        raise UsageError(cause, "bench", "free what is used up") from error


def _hash_of(pipe: Connection, kind: str, path: Path) -> str:
    end = time.monotonic() + LONGEST
    try:
        pipe.send((kind, path))
        while pipe.poll(max(0.0, min(SILENCE, end - time.monotonic()))):
            answer = pipe.recv()
            if isinstance(answer, OSError):
                cause = f"cannot be read ({answer.strerror or answer})"
                raise UsageError(cause, str(path), "make it readable") from answer
            if answer != ALIVE:
                return str(answer)
    except EOFError:
        cause = f"takes more than {MEMORY >> 30} GiB to be looked through"
        raise UsageError(cause, str(path), f"check that it is a {kind}") from None
    raise UsageError("cannot be read in time", str(path), f"check that it is a {kind}, and no device")


def main() -> None:
    """Serves the owner of the pipe whose number is the first argument, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner's to answer
    owner, told = Connection(int(sys.argv[1])), time.monotonic()
    _limit_memory()

    def on_piece() -> None:
        nonlocal told
        if time.monotonic() - told > 1.0:
            told = time.monotonic()
            owner.send(ALIVE)

    while True:
        try:
            kind, path = owner.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer: str | OSError = KINDS[kind](path, on_piece)
        except OSError as error:
            answer = error
        except MemoryError:  # which the owner understands by the end of the pipe
            return
        owner.send(answer)


def _limit_memory() -> None:
    import resource  # which not every system has

    with contextlib.suppress(OSError, ValueError):  # a lower limit stands
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main()
