"""Processes of our own: each a fresh interpreter that imports the very package that is running here."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path


def started(module: str, theirs: Connection) -> subprocess.Popen[bytes]:
    """A process that runs a module of this package, whatever the current folder holds; it has a session of its own.

    Args:
        module: by its full name; it is given the number of its end of a pipe.
        theirs: that end.

    Raises:
        OSError: it cannot be started.
    """
    package = Path(__file__).resolve().parents[1]
    places = [str(package.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(places)},
        start_new_session=True,
    )
