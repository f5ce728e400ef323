"""Lowerings by domain, operator and version.

A lowering states every version of its operator that it was written for. A version that the standard brings later is
an error until someone has read what changed: never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from verifier.readers.onnx.call import Call
from verifier.readers.onnx.tensors import Tensor

Lower: TypeAlias = Callable[[Call], Tensor | tuple[Tensor | None, ...]]
"""Returns the operator's output, or its first few; None stands for one that is not supported."""


@dataclass(frozen=True)
class Lowering:
    """A rule, and whether it also takes operands that are all constants (otherwise a runtime folds those)."""

    lower: Lower
    takes_constants: bool


_LOWERINGS: dict[tuple[str, str, int], Lowering] = {}


def lowers(op: str, *since: int, domain: str = "", takes_constants: bool = False) -> Callable[[Lower], Lower]:
    """Registers a lowering for the versions `since` of an operator."""

    def register(lower: Lower) -> Lower:
        for version in since:
            key = (domain, op, version)
            if key in _LOWERINGS:
                raise ValueError(f"two lowerings for {key}")
            _LOWERINGS[key] = Lowering(lower, takes_constants)
        return lower

    return register


def find_lowering(domain: str, op: str, since: int) -> Lowering | None:
    """The lowering for exactly this version of the operator."""
    return _LOWERINGS.get((domain, op, since))


def supported_operators(domain: str = "") -> list[str]:
    """The names of a domain's operators with a lowering, sorted."""
    return sorted({op for of, op, _ in _LOWERINGS if of == domain})
