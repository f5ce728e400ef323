"""What a process that runs one job is given."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.batch.job import Job
from verifier.batch.proof_record import ProofOrder


@dataclass(frozen=True)
class Assignment:
    """A job with what its isolation needs.

    Attributes:
        job: what is asked.
        memory: megabytes that its process may hold, or, of a job with several threads, all its processes together;
            more ends it. A job with one thread is not expected to start others, and they are not looked for, except
            with another solver than HiGHS.
        network_hash, property_hash: SHA-256 of the files when the run was planned, hexadecimal; "" does not look.
        proof: that a proof is wanted of an `unsat`; it has a time of its own, after the job's.
    """

    job: Job
    memory: float
    network_hash: str = ""
    property_hash: str = ""
    proof: ProofOrder | None = None

    @property
    def longest(self) -> float:
        """Seconds that all of it may take."""
        return self.job.timeout + (self.proof.longest if self.proof else 0.0)
