"""Proofs of our own small properties, made once, and what the checker says of them when they are changed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from verifier.checker.bounds import Weak
from verifier.checker.check import Check
from verifier.checker.claim import Claim, read_property
from verifier.checker.graph import Graph
from verifier.checker.model import read_model
from verifier.checker.proof import Proof, read_proof, write_proof
from verifier.deadline import Deadline
from verifier.proofs.write import proof_of

SPECS = Path(__file__).parents[2] / "vnnlib_specs"
HOLD = {
    "digits_dense": ("robust", "linear", "close"),
    "digits_conv": ("robust", "linear", "close"),
    "moons": ("upper", "both", "bounded"),
}
"""The properties that hold, by network."""
NAMES = [(network, prop) for network, props in HOLD.items() for prop in props]


@cache
def claim(network: str, prop: str) -> tuple[Graph, Claim]:
    """A claim, as the checker reads it."""
    return read_model(model_file(network)), read_property(property_file(network, prop))


def model_file(network: str) -> Path:
    return SPECS / "onnx" / f"{network}.onnx"


def property_file(network: str, prop: str) -> Path:
    return SPECS / "vnnlib" / f"{network}_{prop}.vnnlib"


@cache
def proof(network: str, prop: str) -> bytes:
    """The contents of a proof's file."""
    return proof_of(model_file(network), property_file(network, prop), Deadline(120))


def read(contents: bytes, folder: Path) -> Proof:
    """A proof's file, by way of a disk."""
    (folder / "proof.npz").write_bytes(contents)
    return read_proof(folder / "proof.npz")


def said(claimed: tuple[Graph, Claim], changed: Proof, exact: bool = False) -> str:
    """What is wrong with a proof of a claim, nothing if it is accepted."""
    try:
        Check(*claimed, changed, exact).run()
    except Weak as weak:
        return str(weak)
    return ""


def with_array(changed: Proof, name: str, array: np.ndarray) -> Proof:
    """A proof with one array in the place of another."""
    return replace(changed, arrays={**changed.arrays, name: array})


__all__ = [
    "HOLD",
    "NAMES",
    "claim",
    "model_file",
    "proof",
    "property_file",
    "read",
    "said",
    "with_array",
    "write_proof",
]
