"""Several counterexamples: all are violations, no two alike, one of each disjunct first."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import verifier
from tests.cli.within import within
from verifier.evidence.replay import Replay
from verifier.questions import Y, box

ROOT = Path(__file__).resolve().parents[2]
MOONS = ROOT / "vnnlib_specs/onnx/moons.onnx"
EVERYWHERE = ROOT / "vnnlib_specs/vnnlib/moons_everywhere.vnnlib"


def test_they_are_violations_and_differ() -> None:
    network = verifier.load_network(MOONS)
    query = verifier.never(network, box([-1, -1], [2, 2]), (Y[0] - Y[1] >= 5) | (Y[1] - Y[0] >= 5) | (Y[0] >= 1e6))
    found = verifier.counterexamples(network, query, 7)
    assert len(found) == 7
    assert found.complete
    assert set(found.disjuncts[:2]) == {0, 1}
    assert len({witness.x.tobytes() for witness in found.witnesses}) == 7
    for d, witness in zip(found.disjuncts, found.witnesses, strict=True):
        assert query.disjuncts[d].holds(witness.x, Replay(network).run(witness.x))
    json.dumps(found.to_dict(), allow_nan=False)
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


def test_there_are_no_more_than_there_are() -> None:
    network = verifier.load_network(MOONS)
    point = np.array([0.0, 1.0])
    query = verifier.never(network, box(point, point), Y[0] >= Y[1])
    assert len(verifier.counterexamples(network, query, 5)) == 1
    none = verifier.counterexamples(network, verifier.always(network, box(point, point), Y[0] >= Y[1]), 5)
    assert (len(none), none.complete) == (0, True)
    with pytest.raises(verifier.VerifierError, match="count"):
        verifier.counterexamples(network, query, 0)


def test_the_shell_shows_all(tmp_path: Path) -> None:
    done = within("verify", MOONS, EVERYWHERE, "--all", 3, "--json", tmp_path / "out.json")
    assert done.exit_code == 1
    assert done.stdout.count("(X_0 ") == 3
    assert len(json.loads((tmp_path / "out.json").read_text())["other_counterexamples"]) == 2
