"""A formal verifier for neural networks, built on optimisation solvers.

>>> import verifier
>>> network = verifier.load_network("vnnlib_specs/onnx/digits_dense.onnx")
>>> query = verifier.load_property("vnnlib_specs/vnnlib/digits_dense_robust.vnnlib", network)
>>> verifier.verify(network, query).status.value
'unsat'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verifier.version import __version__ as __version__

if TYPE_CHECKING:
    from verifier.api import accuracy, compare, counterexamples, largest, radius, robust, verify
    from verifier.errors import VerifierError
    from verifier.evaluation.evaluate import Accuracy
    from verifier.evaluation.options import AccuracyOptions
    from verifier.loading import (
        always,
        from_torch,
        load_network,
        load_property,
        load_query,
        never,
        robustness_query,
    )
    from verifier.methods import Options
    from verifier.methods.several import Several
    from verifier.property.balls import Ball
    from verifier.radii.bracket import Bracket
    from verifier.radii.measure import RadiusOptions
    from verifier.ranges.calls import bounds, maximize, minimize
    from verifier.ranges.largest import Largest
    from verifier.ranges.options import RangeOptions
    from verifier.ranges.result import Optimum, Ranges
    from verifier.verdict import Status, Verdict, Witness

_HOMES = {
    "accuracy": "verifier.api",
    "Accuracy": "verifier.evaluation.evaluate",
    "AccuracyOptions": "verifier.evaluation.options",
    "compare": "verifier.api",
    "largest": "verifier.api",
    "Largest": "verifier.ranges.largest",
    "counterexamples": "verifier.api",
    "Several": "verifier.methods.several",
    "minimize": "verifier.ranges.calls",
    "maximize": "verifier.ranges.calls",
    "bounds": "verifier.ranges.calls",
    "robust": "verifier.api",
    "never": "verifier.loading",
    "always": "verifier.loading",
    "from_torch": "verifier.loading",
    "load_network": "verifier.loading",
    "load_property": "verifier.loading",
    "load_query": "verifier.loading",
    "radius": "verifier.api",
    "robustness_query": "verifier.loading",
    "verify": "verifier.api",
    "Ball": "verifier.property.balls",
    "Bracket": "verifier.radii.bracket",
    "Optimum": "verifier.ranges.result",
    "Options": "verifier.methods",
    "RangeOptions": "verifier.ranges.options",
    "Ranges": "verifier.ranges.result",
    "RadiusOptions": "verifier.radii.measure",
    "Status": "verifier.verdict",
    "Verdict": "verifier.verdict",
    "VerifierError": "verifier.errors",
    "Witness": "verifier.verdict",
}

__all__ = [
    "Accuracy",
    "AccuracyOptions",
    "Ball",
    "Bracket",
    "Largest",
    "Optimum",
    "Options",
    "RadiusOptions",
    "RangeOptions",
    "Ranges",
    "Several",
    "Status",
    "Verdict",
    "VerifierError",
    "Witness",
    "accuracy",
    "always",
    "bounds",
    "compare",
    "counterexamples",
    "from_torch",
    "largest",
    "load_network",
    "load_property",
    "load_query",
    "maximize",
    "minimize",
    "never",
    "radius",
    "robust",
    "robustness_query",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used, so that ``import verifier`` costs next to nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'verifier' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for help() and Tab."""
    return [*__all__, "__version__"]
