"""The theories of the VNN-LIB 2.0 standard (its chapter 4) whose queries are read, by the sets that they belong to.

Each set's theories are listed from the smallest to the largest. `docs/vnnlib.md` says which test shows each.
"""

from __future__ import annotations

from verifier.readers.vnnlib.interfaces import ELEMENTS

HIDDEN_NODES = ("NH", "H")
"""Without and with hidden tensors."""

MULTIPLE_INPUTS_OUTPUTS = ("SIO", "MIO")
"""A single input and output, or any number."""

MULTIPLE_NETWORKS = ("SNET", "MENET", "MINET", "MNET")
"""A single network; several that are equal; that are isomorphic; any."""

NODE_COMPARISONS = ("SNC", "MNC")
"""Comparisons within a tensor or between networks, or between any tensors."""

ARITHMETIC = ("BND", "OUTC", "LIN", "POLY")
"""Bounds; comparisons of outputs; linear terms; polynomials."""

VERSIONS = ("1.0", "2.0")
"""Of VNN-LIB, the oldest and the newest."""

FLOATS = ("float16", "bfloat16", "float32", "float64")


def sound_elements() -> tuple[str, ...]:
    """The element types for which `unsat` holds as they are computed; floats are proved as real numbers."""
    return ("real", *(name for name in ELEMENTS.values() if name and name not in FLOATS))
