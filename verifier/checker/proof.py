"""The file of a proof: an .npz archive (NumPy's, no pickles) with a JSON header. `docs/proofs.md` has the format."""

from __future__ import annotations

import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verifier.checker.files import PROOF
from verifier.checker.graph import Unreadable
from verifier.checker.linear import Array

VERSION = 2
DAMAGED = (
    OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, RuntimeError, MemoryError,
    SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading an archive that is none may end with."""
ARRAYS = {
    "tree_parent": ("i", 1),
    "tree_quantity": ("i", 1),
    "tree_entry": ("i", 1),
    "tree_cut": ("f", 1),
    "tree_above": ("b", 1),
    "tree_sharpened": ("b", 1),
    "root_disjunct": ("i", 1),
    "leaf_node": ("i", 1),
    "leaf_disjunct": ("i", 1),
    "leaf_weights": ("f", 1),
    "leaf_pressures": ("f", 1),
    "leaf_choice": ("i", 1),
    "leaf_weights_end": ("i", 1),
    "leaf_pressures_end": ("i", 1),
    "fact_node": ("i", 1),
    "fact_quantity": ("i", 1),
    "fact_entry": ("i", 1),
    "fact_above": ("b", 1),
    "fact_choice": ("i", 1),
    "fact_pressures": ("f", 1),
    "fact_pressures_end": ("i", 1),
    "choice_slopes": ("f", 1),
    "choice_slopes_end": ("i", 1),
}
"""Kind and dimensions of each; one that has no entries need not be there."""
TYPES = {"b": np.bool_, "i": np.int64, "f": np.float64, "u": np.uint8}
"""Of what has no entries, by kind."""
RAGGED = ("leaf_weights_end", "leaf_pressures_end", "fact_pressures_end", "choice_slopes_end")
"""Where the parts of an array end, that has the name without `_end`."""


@dataclass(frozen=True, eq=False)
class Proof:
    """What is in a file.

    Attributes:
        model, property: SHA-256 of the contents, in hexadecimal.
        quantities: names of what the tree cuts; "" is the input.
        arrays: see `ARRAYS`.
    """

    model: str
    property: str
    quantities: list[str]
    arrays: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def part(self, name: str, n: int) -> Array:
        """The n-th part of an array whose parts end where `RAGGED` says."""
        ends = self.arrays[f"{name}_end"]
        return self.arrays[name][ends[n - 1] if n else 0 : ends[n]]


def read_proof(path: Path) -> Proof:
    """A proof, its fields checked one by one for type and length, not for what they say.

    Raises:
        Unreadable: it is none.
    """
    try:
        arrays = read_arrays(path, {"header": "u", **{name: kind for name, (kind, _) in ARRAYS.items()}})
        header = json.loads(arrays.pop("header").tobytes().decode())
        proof = Proof(header["model"], header["property"], header["quantities"], arrays)
        version = header["version"]
    except DAMAGED as error:
        raise Unreadable(f"{path}: no proof ({type(error).__name__}: {error})") from error
    if version != VERSION:
        raise Unreadable(f"{path}: version {version} of the format; this checker knows {VERSION}")
    _check(proof, path)
    return proof


def read_arrays(path: Path, kinds: Mapping[str, str]) -> dict[str, Array]:
    """Arrays of an archive, by NumPy's own reading of their headings; none takes more than the bytes that are there.

    Those that are not there have no entries.
    """
    found: dict[str, Array] = {name: np.zeros(0, TYPES[kind]) for name, kind in kinds.items()}
    with zipfile.ZipFile(path) as archive:
        there = set(archive.namelist())
        entries = {name: archive.getinfo(f"{name}.npy") for name in kinds if f"{name}.npy" in there}
        if sum(entry.file_size for entry in entries.values()) > PROOF:
            raise ValueError(f"more than {PROOF} bytes")
        for name, entry in entries.items():
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name} is compressed in a way that is not known")
            with archive.open(entry) as file:
                data = file.read(entry.file_size)
            stream = io.BytesIO(data)
            newer = np.lib.format.read_magic(stream) != (1, 0)
            read = np.lib.format.read_array_header_2_0 if newer else np.lib.format.read_array_header_1_0
            shape, columns_first, dtype = read(stream)
            if dtype.kind not in "iufb":
                raise ValueError(f"{name} is of type {dtype}")
            array: Array = np.ndarray(shape, dtype, data, stream.tell(), order="F" if columns_first else "C")
            found[name] = array.view(np.uint8) != 0 if dtype.kind == "b" else array
    return found


def _check(proof: Proof, path: Path) -> None:
    for name, (kind, dimensions) in ARRAYS.items():
        array = proof[name]
        if array.dtype.kind != kind or array.ndim != dimensions or array.dtype.itemsize > (1 if kind == "u" else 8):
            raise Unreadable(f"{path}: {name} is of type {array.dtype} with {array.ndim} dimensions")
        if kind == "f" and not np.isfinite(array).all():
            raise Unreadable(f"{path}: {name} has numbers that are not finite")
    if not isinstance(proof.quantities, list) or not all(isinstance(name, str) for name in proof.quantities):
        raise Unreadable(f"{path}: its quantities are no names")
    for group, first in (("tree_", "tree_parent"), ("leaf_", "leaf_node"), ("fact_", "fact_node")):
        for name in ARRAYS:
            of_parts = f"{name}_end" in RAGGED
            if name.startswith(group) and not of_parts and len(proof[name]) != len(proof[first]):
                raise Unreadable(f"{path}: {name} has {len(proof[name])} entries instead of {len(proof[first])}")
    for name in RAGGED:
        ends, parts = proof[name], name.removesuffix("_end")
        steady = not len(ends) or (ends[0] >= 0 and bool((ends[1:] >= ends[:-1]).all()))
        if not steady or (int(ends[-1]) if len(ends) else 0) != len(proof[parts]):
            raise Unreadable(f"{path}: {name} does not divide {parts}")


def write_proof(proof: Proof) -> bytes:
    """The file's contents."""
    header: dict[str, Any] = {
        "version": VERSION,
        "model": proof.model,
        "property": proof.property,
        "quantities": proof.quantities,
    }
    buffer = io.BytesIO()
    packed = np.frombuffer(json.dumps(header).encode(), np.uint8)
    full = {name: array for name, array in proof.arrays.items() if array.size}
    np.savez_compressed(buffer, allow_pickle=False, header=packed, **full)
    return buffer.getvalue()
