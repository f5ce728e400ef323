"""Files are hashed in a process of its own, which may be stopped."""

import os
from pathlib import Path

import pytest

from verifier.batch import hashing
from verifier.batch.contents import network_hash, property_hash
from verifier.batch.hashing import hashes
from verifier.errors import UsageError


def test_the_hashes_are_those_of_the_contents(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text(path.name)
    assert hashes("network", paths) == {path: network_hash(path) for path in paths}
    assert hashes("property", paths) == {path: property_hash(path) for path in paths}


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none: cannot be read \(No such file"):
        hashes("network", [tmp_path / "none"])


def test_a_file_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of the kernel's logs, which is a plain file to all that ask."""
    monkeypatch.setattr(hashing, "SILENCE", 1.0)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe: cannot be read in time"):
        hashes("property", [tmp_path / "pipe"])
