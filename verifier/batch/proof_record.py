"""What a job is told of proofs, and what became of one."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.batch.file_names import safe_name
from verifier.batch.instances import stem

ENDING = ".npz"
MARK = 8
"""Hexadecimal digits of what tells names apart."""
ACCEPTED, REJECTED, ERROR = "accepted", "rejected", "error"
"""What a checker says; and "" where it was not asked."""


@dataclass(frozen=True)
class ProofOrder:
    """That a proof is wanted of an `unsat`.

    Attributes:
        folder: where the files are.
        name: of this one, within the folder.
        seconds: for the writing, and as many for the checking.
        size: megabytes of the file at most.
        check: whether it is checked as well.
    """

    folder: Path
    name: str
    seconds: float
    size: float
    check: bool = False

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def longest(self) -> float:
        """Seconds that all of it may take."""
        return self.seconds * (2 if self.check else 1)

    def removed(self) -> None:
        """Makes sure that no file of an earlier run stands for this one's.

        Raises:
            OSError: it cannot be removed.
        """
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ProofRecord:
    """What became of the proof of an `unsat`.

    Attributes:
        path: within the folder of proofs; "" where there is none.
        size: bytes of the file.
        seconds: what the writing took.
        reason: why there is none; or a remark.
        checked: what the checker said, or "" where it was not asked.
        check_seconds: what that took.
        check_reason: why it did not accept.
    """

    path: str = ""
    size: int = 0
    seconds: float = 0.0
    reason: str = ""
    checked: str = ""
    check_seconds: float = 0.0
    check_reason: str = ""

    @property
    def stands(self) -> bool:
        """Whether there is a file, and no checker has refused it."""
        return bool(self.path) and self.checked in ("", ACCEPTED)

    @property
    def note(self) -> str:
        """In a few words."""
        if not self.path:
            return f"no proof: {self.reason}"
        told = f"proof {self.size / 1000:.1f} kB, {self.seconds:.2f} s"
        if not self.checked:
            return told
        reason = f" ({self.check_reason})" if self.check_reason else ""
        return f"{told}, {self.checked} in {self.check_seconds:.2f} s{reason}"


def proof_name(benchmark: str, network: Path, prop: Path, asked: tuple[str, ...]) -> str:
    """Where a proof is, within the folder: readable, and with a mark of all that is asked no other one's.

    Args:
        asked: what else tells it from others: hashes of the files, the method.
    """
    whole = "\0".join((benchmark, str(network), str(prop), *asked))
    mark = hashlib.sha256(whole.encode(errors="surrogateescape")).hexdigest()[:MARK]
    return f"{safe_name(benchmark, '')}/{safe_name(f'{stem(network)}_{stem(prop)}', f'-{mark}{ENDING}')}"


def interrupted(order: ProofOrder, written: ProofRecord | None, why: str) -> ProofRecord:
    """What became of a proof whose process was ended; a file that nobody vouches for goes.

    Args:
        written: what was known before; None while it was being written.
        why: it was ended.
    """
    if written is None:
        with contextlib.suppress(OSError):
            order.removed()
        return ProofRecord(reason=why)
    if written.path and order.check and not written.checked:
        return replace(written, checked=ERROR, check_reason=why)
    return written
