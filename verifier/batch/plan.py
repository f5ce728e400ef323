"""The plan of a run: every instance by every method, with all that decides what is asked, to be taken up again."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from verifier.batch.assignment import Assignment
from verifier.batch.hashing import hashes
from verifier.batch.instances import Instance
from verifier.batch.job import Job
from verifier.batch.proof_record import ProofOrder, proof_name
from verifier.errors import UsageError
from verifier.proving import PROOF_SIZE

DEFAULT_TIMEOUT = 300.0
"""Seconds for an instance whose list tells none, where none is asked for."""
DEFAULT_MEMORY = 8000.0
"""Megabytes for an instance where nobody says."""
SEARCH_SHARE = 0.5
"""Part of an instance's memory that a search may keep: the rest is for what it works on."""
PROOF_TIMEOUT = 60.0
"""Seconds for a proof where nobody says and the instance has less: a verdict after two seconds is worth its proof."""
OF_PROOFS = {"proofs", "proof_timeout", "proof_size", "check_proofs"}
"""What is set for proofs. All of it is part of what a run asks: no run has proofs of some instances, or in two folders,
because it was taken up with other options."""


@dataclass(frozen=True)
class Settings:
    """What the user sets for a run.

    Attributes:
        methods: names; each instance is put to each of them.
        timeout: seconds for each instance; None takes the instance's own.
        memory: megabytes that the processes of one instance may hold; None for a fair share of the machine's.
        threads: processor cores for one instance.
        device, seed, witness_tolerance, solver: see `verifier.Options`.
        shuffle: whether the order is drawn, by `seed`, rather than the lists'.
        only: the pattern of names that were chosen.
        proofs: the folder, by its absolute path, for a proof of each `unsat`; None writes none.
        proof_timeout: seconds for the writing of each, and as many for its checking; None takes the instance's, or
            `PROOF_TIMEOUT` where that is more.
        proof_size: megabytes of each at most.
        check_proofs: whether each is checked as well.
    """

    methods: tuple[str, ...] = ("auto",)
    timeout: float | None = None
    memory: float | None = None
    threads: int = 1
    device: str = "cpu"
    seed: int = 0
    witness_tolerance: float = 0.0
    shuffle: bool = False
    only: str = "*"
    solver: str = "highs"
    proofs: str | None = None
    proof_timeout: float | None = None
    proof_size: float = PROOF_SIZE
    check_proofs: bool = False

    def __post_init__(self) -> None:
        """Checks the limits.

        Raises:
            UsageError: one is no positive number.
        """
        if self.proof_timeout is not None and not 0 < self.proof_timeout < math.inf:
            cause = f"a timeout of {self.proof_timeout} s"
            raise UsageError(cause, "--proof-timeout", "give a positive number of seconds")
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise UsageError(f"a timeout of {self.timeout} s", "--timeout", "give a positive number of seconds")
        if self.memory is not None and not 0 < self.memory < math.inf:
            raise UsageError(f"a memory of {self.memory} MB", "--memory", "give a positive number of megabytes")


@dataclass(frozen=True)
class Item:
    """One instance put to one method.

    Attributes:
        instance, method: what is asked of whom.
        timeout: seconds.
        network_hash, property_hash: SHA-256 of the files, hexadecimal.
        number: its number in the store; 0 before it has one.
    """

    instance: Instance
    method: str
    timeout: float
    network_hash: str
    property_hash: str
    number: int = 0

    def assignment(self, settings: Settings) -> Assignment:
        """What a worker is given."""
        memory = settings.memory or DEFAULT_MEMORY
        job = Job(
            self.instance.network,
            self.instance.prop,
            self.method,
            self.timeout,
            settings.device,
            settings.seed,
            settings.witness_tolerance,
            memory * SEARCH_SHARE,
            settings.threads,
            settings.solver,
            allow_empty=True,
        )
        return Assignment(job, memory, self.network_hash, self.property_hash, self._order(settings))

    def _order(self, settings: Settings) -> ProofOrder | None:
        """That a proof is wanted, if it is."""
        if settings.proofs is None:
            return None
        asked = self.network_hash, self.property_hash, self.method
        name = proof_name(self.instance.benchmark, self.instance.network, self.instance.prop, asked)
        seconds = settings.proof_timeout or max(self.timeout, PROOF_TIMEOUT)
        return ProofOrder(Path(settings.proofs), name, seconds, settings.proof_size, settings.check_proofs)


def planned(instances: Sequence[Instance], settings: Settings) -> list[Item]:
    """The items of a run in the order of work: instance by instance, each by all methods.

    A known verdict holds for every instance with the same contents, under whatever name.

    Raises:
        UsageError: a file cannot be read, or known verdicts contradict each other.
    """
    networks = hashes("network", dict.fromkeys(i.network for i in instances))
    props = hashes("property", dict.fromkeys(i.prop for i in instances))
    keys = [(networks[i.network], props[i.prop]) for i in instances]
    truths = _truths(instances, keys)
    order = [(replace(i, truth=truths.get(key, "")), key) for i, key in zip(instances, keys, strict=True)]
    if settings.shuffle:
        random.Random(settings.seed).shuffle(order)
    return [
        Item(i, method, settings.timeout or i.timeout or DEFAULT_TIMEOUT, *key)
        for i, key in order
        for method in dict.fromkeys(settings.methods)
    ]


def _truths(instances: Sequence[Instance], keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The known verdict for each pair of contents that has one."""
    first: dict[tuple[str, str], Instance] = {}
    for instance, key in zip(instances, keys, strict=True):
        other = first.setdefault(key, instance) if instance.truth else instance
        if other.truth != instance.truth:
            cause = f"the same contents as {other.name}, known to be {other.truth}, not {instance.truth}"
            raise UsageError(cause, instance.name, "say the same of it everywhere")
    return {key: instance.truth for key, instance in first.items()}


def fingerprint(items: Sequence[Item], settings: Settings) -> str:
    """A SHA-256 that is the same only where the same is asked under the same limits, in whatever order."""
    asked = []
    for item in items:
        files = str(item.instance.network), str(item.instance.prop), item.network_hash, item.property_hash
        asked.append((item.instance.benchmark, *files, item.method, item.timeout, item.instance.truth))
    aside = {"methods", "timeout", "shuffle", "only"}
    if settings.proofs is None:  # so that runs of the time before there were proofs can be taken up
        aside |= OF_PROOFS
    limits = {k: v for k, v in asdict(settings).items() if k not in aside}
    return hashlib.sha256(json.dumps([sorted(asked), limits]).encode()).hexdigest()
