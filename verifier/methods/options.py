"""What a user may set for any method."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.arguments import TIMEOUT, of_type, real, whole
from verifier.arrays import Array
from verifier.errors import Argument, UsageError, missing_package
from verifier.programs.solvers.registry import DEFAULT

TIGHTEN = ("none", "lp", "milp")
"""The programs by which the bounds of all neurons may be sharpened before a method uses them."""


@dataclass(frozen=True)
class Options:
    """What a user may set for any method.

    Attributes:
        timeout: wall time allowed, seconds; `math.inf` for no limit.
        seed: of every random choice.
        device: where arrays live: ``"cpu"`` (NumPy), or a torch device such as ``"torch:cpu"`` or ``"cuda"``.
        witness_tolerance: how far a witness may lie outside the box and exceed the rows; 0.0 is exact.
        memory: what a search may keep, in megabytes; it narrows before it would take more.
        threads: processor cores that a search works on, with a process each.
        solver: of linear and mixed-integer programs, as `verifier solvers` lists them.
        tighten: whether, and by which programs, bounds of neurons are sharpened first.
        tighten_share: the part of the time that this may take, above 0 and at most 1.
        thorough: whether bounds are taken as far as a method can rather than until they decide, and what comparisons
            want besides is taken note of.
    """

    timeout: float = TIMEOUT
    seed: int = 0
    device: str = "cpu"
    witness_tolerance: float = 0.0
    memory: float = 4000.0
    threads: int = 2
    solver: str = DEFAULT
    tighten: str = "none"
    tighten_share: float = 0.3
    thorough: bool = False

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: one is out of range or no number.
        """
        if not real(self.timeout, "timeout") > 0:
            raise UsageError(f"a timeout of {self.timeout} s", Argument("timeout"), "give a positive number of seconds")
        if whole(self.seed, "seed") < 0:
            raise UsageError(f"a seed of {self.seed}", Argument("seed"), "give a whole number from 0 on")
        of_type(self.device, str, "device", "give a name, such as 'cpu'")
        if not 0 <= real(self.witness_tolerance, "witness_tolerance") < math.inf:
            cause = f"a tolerance of {self.witness_tolerance}"
            raise UsageError(cause, Argument("witness_tolerance"), "give a number from 0 on")
        if not real(self.memory, "memory") > 0:
            raise UsageError(f"a memory of {self.memory} MB", Argument("memory"), "give a positive number of megabytes")
        if whole(self.threads, "threads") < 1:
            raise UsageError(f"{self.threads} threads", Argument("threads"), "give a whole number from 1 on")
        of_type(self.solver, str, "solver", "give a name, such as 'highs'")
        if self.tighten not in TIGHTEN:
            cause = f"tightening by {self.tighten!r}"
            raise UsageError(cause, Argument("tighten"), f"choose one of {', '.join(TIGHTEN)}")
        if not 0 < real(self.tighten_share, "tighten_share") <= 1:
            cause = f"a share of {self.tighten_share}"
            raise UsageError(cause, Argument("tighten_share"), "give a number above 0, at most 1")


def example_array(device: str) -> Array:
    """An empty float64 array on a device, `Options.device`.

    Raises:
        UsageError: there is no such device here.
    """
    if device == "cpu":
        return np.zeros(0)
    try:
        import torch
    except ImportError as error:
        raise missing_package(error) or error from error
    try:
        return torch.zeros(0, dtype=torch.float64, device=device.removeprefix("torch:"))
    except (RuntimeError, AssertionError) as error:  # torch raises either for a missing device
        cause = str(error).partition("\n")[0]
        raise UsageError(f"device {device!r} is not usable ({cause})", Argument("device"), "use cpu") from error
