"""Names of files from names that users give, and folders for them."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from verifier.errors import UsageError
from verifier.evidence.result_files import LONGEST_NAME


def safe_name(name: str, ending: str) -> str:
    """The name as a file's or folder's: without separators, no hidden or parent folder, not too long."""
    plain = re.sub(r"[/\\\x00-\x1f]", "_", name)
    plain = re.sub(r"^\.", "_", plain) or "_"
    if len(os.fsencode(plain + ending)) <= LONGEST_NAME:
        return plain + ending
    mark = "~" + hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:12] + ending
    return os.fsencode(plain)[: LONGEST_NAME - len(mark)].decode(errors="ignore") + mark


def make_folder(folder: Path) -> None:
    """Makes a folder where there is none.

    Raises:
        UsageError: it cannot be made, or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made ({error.strerror})", str(folder), "choose a writable place") from error
    if not os.access(folder, os.W_OK):
        raise UsageError("is not writable", str(folder), "choose a writable place")
