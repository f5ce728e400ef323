"""What results show of themselves: a line, a table in a notebook, a dictionary for files; and they can be pickled."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import verifier
from verifier.shown import Shown

ROOT = Path(__file__).resolve().parents[1]


def _results() -> list[Shown]:
    network = verifier.load_network(ROOT / "vnnlib_specs/onnx/moons.onnx")
    query = verifier.load_property(ROOT / "vnnlib_specs/vnnlib/moons_upper.vnnlib", network)
    options = verifier.RadiusOptions(methods=["crown", "fmn"])
    sizes = verifier.AccuracyOptions([0.05], methods=["crown", "fmn"])
    return [
        *verifier.robust(network, [[0.0, 1.0], [0.2, 0.7]], 0.1),
        verifier.radius(network, [0.0, 1.0], options=options),
        verifier.compare(network, query, ["crown", "interval"]),
        verifier.accuracy(network, [[0.0, 1.0], [1.0, -0.5]], [0, 1], sizes),
    ]


def test_results_can_be_read_kept_and_sent() -> None:
    for result in _results():
        name = type(result).__name__
        assert repr(result).startswith(f"<{name} ")
        assert len(repr(result)) < 400
        assert repr(pickle.loads(pickle.dumps(result))) == repr(result)
        assert result._repr_html_().startswith(f"<table><caption>{name}</caption>")
        json.dumps(result.to_dict(), allow_nan=False)


def test_a_verdict_tells_its_counterexample() -> None:
    verdict = _results()[1]
    assert "status sat" in repr(verdict)
    assert "x (0." in repr(verdict)
    assert set(verdict.to_dict()["witness"]) == {"x", "y", "distance_from_input_set"}
