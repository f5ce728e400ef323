"""Satisfying assignments as VNN-LIB 2.0 has them in files: a folder with a serialised TensorProto for each variable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import UsageError
from verifier.evidence.result_files import values_of, write_whole

if TYPE_CHECKING:
    from verifier.property.query import Declaration
    from verifier.verdict import Witness

SUFFIX = ".pb"


def check_folder(folder: Path, option: str) -> None:
    """Makes the folder, so that what is wrong with it is known before the work.

    Raises:
        UsageError: it is a file, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made a folder ({error.strerror})", option, "choose another") from None


def write_assignments(folder: Path, witness: Witness, declarations: Sequence[Declaration]) -> None:
    """Writes ``VARIABLE.pb`` for every declared variable, of its type and shape; real numbers as float64.

    Raises:
        UsageError: a file cannot be written.
    """
    for declared in declarations:
        values = values_of(witness, declared).reshape(declared.shape)
        write_whole(folder / f"{declared.name}{SUFFIX}", tensor_bytes(values, declared.name, declared.dtype))


def tensor_bytes(values: np.ndarray, name: str, dtype: str) -> bytes:
    """A serialised TensorProto.

    Args:
        dtype: as VNN-LIB names it.
    """
    from verifier.runtime import tensor_of

    return tensor_of(values, name, "float64" if dtype == "real" else dtype)
