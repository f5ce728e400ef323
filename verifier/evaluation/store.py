"""The answers of a run on disk: one line of JSON a sample, written as soon as it is known.

The first line says what is asked, with a fingerprint. A line that a killed run left unfinished is dropped when the run
is taken up again, and only with the same fingerprint is it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from verifier.errors import UsageError
from verifier.evaluation.answers import SampleAnswers, from_record, to_record

NAME = "samples.jsonl"


def fingerprint(asked: dict[str, Any]) -> str:
    """Of what is asked, a dictionary that JSON can hold."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


class Store:
    """The file of a run.

    Args:
        path: of the file.
        asked: what is asked.
        resume: whether to go on with what is there.

    Attributes:
        known: the answers that were there, by sample.

    Raises:
        UsageError: there is a file and it is not to be taken up, or it is that of another question, or unusable.
    """

    def __init__(self, path: Path, asked: dict[str, Any], resume: bool) -> None:
        self.path = path
        self.known: dict[int, SampleAnswers] = {}
        header = json.dumps({"fingerprint": fingerprint(asked), "asked": asked}) + "\n"
        if path.exists() and path.stat().st_size > 0:
            if not resume:
                raise UsageError(f"{path} holds answers already", "--output", "add --resume, or choose another folder")
            self._take_up(fingerprint(asked))
        else:
            self._append(header)

    def _take_up(self, expected: str) -> None:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        fix = "choose another folder"
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            same = bool(lines) and lines[0]["fingerprint"] == expected
            answers = [from_record(record) for record in lines[1:]]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self.path} is no file of answers ({error})", "--resume", fix) from error
        if not same:
            raise UsageError(f"{self.path} answers another question", "--resume", f"ask the same, or {fix}")
        self.known = {a.sample: a for a in answers}
        if len(whole) < len(content):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))

    def add(self, answers: SampleAnswers) -> None:
        """Keeps the answers about one sample."""
        self.known[answers.sample] = answers
        self._append(json.dumps(to_record(answers), allow_nan=False) + "\n")

    def _append(self, line: str) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written ({error})", "--output", "make room for it") from error
