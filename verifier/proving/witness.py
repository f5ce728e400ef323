"""The file of a `sat`: the input that violates the property, with what the runtime computes from it.

The same archive as a proof's, with `"verdict": "sat"` in its header, and two arrays: `input`, the model's inputs one
after the other, and `output`, likewise. `verifier.checker.witness` reads it.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from verifier.checker.files import digest_of_model, digest_of_property
from verifier.checker.model import read_model
from verifier.checker.proof import VERSION
from verifier.checker.witness import Assertions
from verifier.verdict import Verdict


class NoWitness(Exception):
    """A `sat` has no witness that could be checked; the text says why."""


def contents_of(network: Path, prop: Path, verdict: Verdict) -> bytes:
    """The contents of a witness's file; the same witness gives the same bytes.

    Raises:
        NoWitness: it lies outside the input set, within a tolerance that the checker does not know.
        Unreadable: the checker does not know something in model or property.
    """
    witness = verdict.witness
    if witness is None:
        raise NoWitness("the verdict has no witness")
    if witness.distance > 0:
        raise NoWitness(f"the witness misses the input set by {witness.distance:.3g}, within the tolerance asked for")
    read_model(network), Assertions.read(prop)  # what the checker cannot read is no evidence to anybody
    header = {
        "version": VERSION,
        "verdict": "sat",
        "model": digest_of_model(network),
        "property": digest_of_property(prop),
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        input=witness.x,
        output=witness.y,
    )
    return buffer.getvalue()
