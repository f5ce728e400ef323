"""What a user may set for ranges."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.arguments import TIMEOUT, real, whole
from verifier.errors import Argument, UsageError


@dataclass(frozen=True)
class RangeOptions:
    """What a user may set for ranges.

    Attributes:
        gap: what may be left between a proven end and the value reached there, as a share of the range.
        timeout: wall time allowed, seconds, for all ends together; `math.inf` for no limit.
        seed: of every random choice.
        threads: processor cores that a search works on.
        memory: what a search may keep, in megabytes.
    """

    gap: float = 1e-3
    timeout: float = TIMEOUT
    seed: int = 0
    threads: int = 2
    memory: float = 4000.0

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: one is out of range or no number.
        """
        if not 0 < real(self.gap, "gap") <= 1:
            raise UsageError(f"a gap of {self.gap}", Argument("gap"), "give a share above 0, at most 1")
        if not real(self.timeout, "timeout") > 0:
            raise UsageError(f"a timeout of {self.timeout} s", Argument("timeout"), "give a positive number of seconds")
        if whole(self.seed, "seed") < 0:
            raise UsageError(f"a seed of {self.seed}", Argument("seed"), "give a whole number from 0 on")
        if whole(self.threads, "threads") < 1:
            raise UsageError(f"{self.threads} threads", Argument("threads"), "give a whole number from 1 on")
        if not real(self.memory, "memory") > 0:
            raise UsageError(f"a memory of {self.memory} MB", Argument("memory"), "give a positive number of megabytes")
