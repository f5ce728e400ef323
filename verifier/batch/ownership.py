"""Which process works on a run, so that two never work on the same one."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass

HEARTBEAT = 5.0
"""Seconds between two signs of life in the store."""
STALE = 60.0
"""Seconds without one after which a process on another machine counts as gone."""


@dataclass(frozen=True)
class Owner:
    """A process, told apart from a later one with the same number by when it was started.

    Attributes:
        host: the machine's name.
        process: its number there.
        created: seconds since 1970.
    """

    host: str
    process: int
    created: float

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        import psutil

        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @classmethod
    def from_json(cls, text: str) -> Owner:
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def works(self, heartbeat: float) -> bool:
        """Whether it is still at work; of another machine's it is known by its last sign of life."""
        import psutil

        if self.host != socket.gethostname():
            return time.time() - heartbeat < STALE
        try:
            process = psutil.Process(self.process)
            same = abs(process.create_time() - self.created) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"
