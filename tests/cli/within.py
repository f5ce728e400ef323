"""A command line in this process, where modules are loaded already and can be patched."""

from __future__ import annotations

import contextlib
import io
import signal
from dataclasses import dataclass

from verifier.cli.main import run
from verifier.errors import EXIT_USAGE, VerifierError


@dataclass(frozen=True)
class Done:
    """What a command line did: its exit status, what it printed, and what it raised, if anything."""

    exit_code: int
    stdout: str
    stderr: str
    exception: VerifierError | None = None

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def within(*arguments: object) -> Done:
    """Runs `verifier ARGUMENTS`; what is wrong with it is kept."""
    stdout, stderr = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    raised: VerifierError | None = None
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            status = run([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        except VerifierError as error:
            status, raised = EXIT_USAGE, error
        finally:  # a command that has answered leaves signals ignored to the end of its process, and to all it starts
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Done(status, stdout.getvalue(), stderr.getvalue(), raised)
