"""The file of a proof: an .npz archive (NumPy's, no pickles) with a JSON header. `docs/proofs.md` has the format."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verifier.checker.files import PROOF
from verifier.checker.graph import Unreadable
from verifier.checker.linear import Array

VERSION = 1
DAMAGED = (zipfile.BadZipFile, zlib.error)
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
    "weights_end": ("i", 1),
    "pressures_end": ("i", 1),
    "choice_places": ("u", 2),
}
"""Kind and dimensions of each."""


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

    def ragged(self, name: str, leaf: int) -> Array:
        """A leaf's part of `leaf_weights` or `leaf_pressures`, by the name's end."""
        ends = self.arrays[f"{name}_end"]
        return self.arrays[f"leaf_{name}"][ends[leaf - 1] if leaf else 0 : ends[leaf]]


def read_proof(path: Path) -> Proof:
    """A proof, its fields checked one by one for type and length, not for what they say.

    Raises:
        Unreadable: it is none.
    """
    try:
        arrays = _arrays(path)
        header = json.loads(arrays.pop("header").tobytes().decode())
        proof = Proof(header["model"], header["property"], header["quantities"], arrays)
        version = header["version"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, RuntimeError, *DAMAGED) as error:
        raise Unreadable(f"{path}: no proof ({type(error).__name__}: {error})") from error
    if version != VERSION:
        raise Unreadable(f"{path}: version {version} of the format; this checker knows {VERSION}")
    _check(proof, path)
    return proof


def _arrays(path: Path) -> dict[str, Array]:
    """The arrays, by NumPy's own reading of their headings; none takes more than the bytes that are there."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.getinfo(f"{name}.npy") for name in ("header", *ARRAYS)}
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
            found[name] = np.ndarray(shape, dtype, data, stream.tell(), order="F" if columns_first else "C")
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
    nodes, leaves = len(proof["tree_parent"]), len(proof["leaf_node"])
    for group, length in (("tree_", nodes), ("_end", leaves)):
        for name in ARRAYS:
            if group in name and len(proof[name]) != length:
                raise Unreadable(f"{path}: {name} has {len(proof[name])} entries instead of {length}")
    for name in ("leaf_disjunct", "leaf_choice"):
        if len(proof[name]) != leaves:
            raise Unreadable(f"{path}: {name} has not as many entries as leaf_node")
    for name in ("weights", "pressures"):
        ends = proof[f"{name}_end"]
        last = int(ends[-1]) if leaves else 0
        if (np.diff(ends, prepend=0) < 0).any() or last != len(proof[f"leaf_{name}"]):
            raise Unreadable(f"{path}: {name}_end does not divide leaf_{name}")


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
    np.savez_compressed(buffer, allow_pickle=False, header=packed, **proof.arrays)
    return buffer.getvalue()
