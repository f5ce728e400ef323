"""The card of a trained network: what it was made from and what it is worth, as JSON and as a page of Markdown."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from verifier.training.measures import DRAWS, SMOOTHING, Measured
from verifier.training.recipe import Recipe
from verifier.version import __version__

PACKAGES = ("torch", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Card:
    """What is known of a network.

    Attributes:
        recipe: that it was trained by.
        accuracy: on all test samples, as ONNX Runtime computes it.
        tests: how many those are.
        samples: the first test samples, on which the rest was measured.
        measured: accuracy at each perturbation.
        seconds: of training.
        contradictions: certificates that an attack disproves: defects.
    """

    recipe: Recipe
    accuracy: float
    tests: int
    samples: int
    measured: list[Measured]
    seconds: float
    contradictions: list[str] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """Those that certified."""
        return list(dict.fromkeys(name for measured in self.measured for name in measured.certified))

    def json(self) -> str:
        """All of it."""
        record: dict[str, Any] = {
            "name": self.recipe.name,
            "seed": self.recipe.seed,
            "recipe": self.recipe.record,
            "versions": versions(),
            "seconds": round(self.seconds, 3),
            "accuracy": self.accuracy,
            "tests": self.tests,
            "samples": self.samples,
            "norm": self.recipe.card.norm or self.recipe.training.norm,
            "measured": [asdict(measured) for measured in self.measured],
            "contradictions": self.contradictions,
        }
        return json.dumps(record, indent=1, allow_nan=False) + "\n"

    def markdown(self) -> str:
        """The same to be read."""
        training, norm = self.recipe.training, self.recipe.card.norm or self.recipe.training.norm
        lines = [
            f"# {self.recipe.name}",
            "",
            f"Trained on {self.recipe.data.set} by `{training.method}`, {training.epochs} epochs, "
            + f"seed {self.recipe.seed}, in {self.seconds:.1f} s.",
            f"Accuracy {self.accuracy:.1%} on {self.tests} test samples.",
            "",
            f"On the first {self.samples} of them, perturbations of norm {norm}:",
            "",
            f"| epsilon | under attack | {' | '.join(f'certified by {name}' for name in self.methods)} |",
            f"|---|---|{'---|' * len(self.methods)}",
        ]
        for measured in self.measured:
            attacked = "not attacked" if measured.attack is None else f"{measured.attack:.1%}"
            shares = [attacked, *(f"{measured.certified.get(name, 0.0):.1%}" for name in self.methods)]
            lines.append(f"| {measured.epsilon:g} | {' | '.join(shares)} |")
        if SMOOTHING in self.methods:
            told = f"of the smoothed network, not of this one, each with probability {1 - DRAWS.alpha:g}"
            lines += ["", f"What is certified by smoothing holds {told} ({DRAWS.estimation} draws)."]
        lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in versions().items()) + "."]
        return "\n".join(lines) + "\n"


def versions() -> dict[str, str]:
    """Of Python and the packages that decide the result."""
    installed = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "verifier": __version__, **installed}
