"""Nothing of a solver outlives the process that asked it, nor its deadline, however they end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from verifier.deadline import Deadline
from verifier.programs.solvers.scratch import Scratch


def working_in(folder: Path) -> list[psutil.Process]:
    """Processes with the folder in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in part for part in process.info["cmdline"] or ()):
            found.append(process)
    return found


def gone(folder: Path) -> bool:
    """Whether folder and processes end within a while."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if not folder.exists() and not working_in(folder):
            return True
        time.sleep(0.05)
    return False


def test_the_folder_goes_with_the_context() -> None:
    with Scratch(Deadline()) as scratch:
        (scratch.folder / "file").write_text("x")
    assert gone(scratch.folder)


def test_what_overruns_the_deadline_is_ended() -> None:
    with Scratch(Deadline(0.1)) as scratch:
        (scratch.folder / "log").write_text("")
        stuck = subprocess.Popen(["tail", "-f", str(scratch.folder / "log")])
        assert stuck.wait(timeout=20) != 0
    assert gone(scratch.folder)


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(3)", "raise SystemExit(1)"])
def test_a_process_that_ends_leaves_nothing(ending: str) -> None:
    script = f"""
import os, signal, subprocess
from verifier.deadline import Deadline
from verifier.programs.solvers.scratch import Scratch
scratch = Scratch(Deadline(60.0)).__enter__()
(scratch.folder / "log").write_text("")
subprocess.Popen(["tail", "-f", str(scratch.folder / "log")], stdout=subprocess.DEVNULL)
print(scratch.folder, flush=True)
{ending}
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    folder = Path(run.stdout.strip())
    assert folder.name.startswith("verifier-")
    assert gone(folder)
