"""Exit statuses beyond those of `verifier verify`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from verifier.cli.output import complain
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from verifier.batch.records import Result

EXIT_CONTRADICTION = 4
"""Two methods or runs contradict each other, or the lists' known verdicts do, or the checker rejects a proof."""
EXIT_WRONG = 5
"""A verdict contradicts the known one."""
EXIT_INTERRUPTED = 130
"""Ended by Ctrl-C or SIGTERM; what was finished is kept."""


def write_or_exit(status: int, write: Callable[[], None]) -> None:
    """Writes files; where that fails, what is wrong with the results still decides the exit status.

    Raises:
        VerifierError: it fails, and nothing is wrong with the results.
    """
    try:
        write()
    except VerifierError as error:
        if status == 0:
            raise
        complain(f"verifier: {error}")
        sys.exit(status)


def judged(results: Sequence[Result]) -> int:
    """The exit status of results; complains of all that contradicts: verdicts, known ones, and a proof its checker."""
    from verifier.batch.agreement import contradictions, disputed_truths
    from verifier.batch.records import run_labels

    labels = run_labels(result.run for result in results)

    def who(result: Result) -> str:
        return f"{result.method} in {labels[result.run.place]}" if len(labels) > 1 else result.method

    disputed = disputed_truths(results)
    for result in disputed:
        told = f"{result.truth} in {labels[result.run.place]}"
        complain(f"verifier: known verdicts of {result.name} differ: {told}, another elsewhere")
    wrong = [result for result in results if result.wrong]
    for result in wrong:
        complain(f"verifier: WRONG {result.name} by {who(result)}: {result.verdict}, known to be {result.truth}")
    against = contradictions(results)
    for group in against:
        told = ", ".join(f"{who(result)} says {result.verdict}" for result in group)
        complain(f"verifier: CONTRADICTION {group[0].name}: {told}")
    rejected = [result for result in results if result.rejected]
    for result in rejected:
        reason = "" if result.proof is None else result.proof.check_reason
        complain(f"verifier: REJECTED proof of {result.name} by {who(result)}: {reason}")
    if wrong:
        return EXIT_WRONG
    return EXIT_CONTRADICTION if against or disputed or rejected else 0
