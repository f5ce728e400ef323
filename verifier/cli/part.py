"""The options that choose a part of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.options import listed, option, whole

if TYPE_CHECKING:
    from verifier.network.graph import Network


@dataclass(frozen=True, kw_only=True)
class Part:
    """What of the model is asked about."""

    output: tuple[str, ...] = option(
        listed,
        (),
        "Names of outputs, with commas; otherwise all, or all but labels. What they do not need is not read.",
        "NAMES",
    )
    batch_index: int | None = option(whole(0), None, "The row of a fixed batch, where rows do not mix.", "ROW")

    def of(self, path: Path) -> Network:
        """That part of the model in a file.

        Raises:
            VerifierError: it cannot be read.
        """
        from verifier.readers.onnx import load_network

        return load_network(path, outputs=self.output, batch_index=self.batch_index)
