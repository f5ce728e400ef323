"""A training as it stands after an epoch, in one file that is written whole: to go on from, to the identical result."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from verifier.errors import UsageError
from verifier.evidence.result_files import write_whole


@dataclass(frozen=True)
class Row:
    """One epoch's line in the log.

    Attributes:
        epoch: from 1 on.
        loss: mean over the epoch.
        accuracy: on the test samples.
        rate, epsilon: at the epoch's end.
        seconds: of the whole training so far.
    """

    epoch: int
    loss: float
    accuracy: float
    rate: float
    epsilon: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that a training needs to go on; random numbers begin anew with every epoch, from the seed and its number.

    Attributes:
        recipe: its text: another recipe's training cannot be gone on with.
        data: the samples' digest: nor can that on others.
        weights, optimiser: states of the network and of the optimiser.
        rows: the log so far, one an epoch that is done.
    """

    recipe: str
    data: str
    weights: dict[str, Any]
    optimiser: dict[str, Any]
    rows: list[Row]

    def write(self, path: Path) -> None:
        """Writes it whole.

        Raises:
            UsageError: it cannot be written.
        """
        content = io.BytesIO()
        torch.save(vars(self) | {"rows": [vars(row) for row in self.rows]}, content)
        write_whole(path, content.getvalue())

    @classmethod
    def read(cls, path: Path, recipe: str, data: str) -> Checkpoint:
        """Reads one, of this recipe and these samples.

        Raises:
            UsageError: there is none, it is damaged, or of another recipe, or of other samples.
        """
        if not path.is_file():
            raise UsageError("there is no checkpoint", str(path), "train without --resume")
        try:
            found = torch.load(path, weights_only=True)
            state = cls(**found | {"rows": [Row(**row) for row in found["rows"]]})
        except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            cause = f"no readable checkpoint ({type(error).__name__})"
            raise UsageError(cause, str(path), "train without --resume") from error
        if state.recipe != recipe:
            raise UsageError("the checkpoint is of another recipe", str(path), "give that one, or another --output")
        if state.data != data:
            raise UsageError("the samples are not those of the checkpoint", str(path), "train without --resume")
        return state
