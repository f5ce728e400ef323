"""What a process that runs one job is given."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.batch.job import Job


@dataclass(frozen=True)
class Assignment:
    """A job with what its isolation needs.

    Attributes:
        job: what is asked.
        memory: megabytes that its process may hold, or, of a job with several threads, all its processes together;
            more ends it. A job with one thread is not expected to start others, and they are not looked for, except
            with another solver than HiGHS.
        network_hash, property_hash: SHA-256 of the files when the run was planned, hexadecimal; "" does not look.
    """

    job: Job
    memory: float
    network_hash: str = ""
    property_hash: str = ""
