"""How far a property holds: multiples that are proved and refuted, beside what is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import verifier
from tests.cli.within import within
from verifier.questions import X, Y, ball, box
from verifier.ranges.largest import scaled

ROOT = Path(__file__).resolve().parents[2]
MOONS = ROOT / "vnnlib_specs/onnx/moons.onnx"


def test_a_multiple_of_epsilon_is_the_radius() -> None:
    network, sample = verifier.load_network(MOONS), np.array([0.0, 1.0])
    options = verifier.RadiusOptions(methods=["crown", "fmn"])
    low, high = verifier.radius(network, sample, options=options).interval
    far = verifier.largest(network, verifier.robustness_query(network, sample, epsilon=0.1), gap=0.05)
    assert 0.1 * far.proved <= high * (1 + 1e-6)
    assert 0.1 * far.refuted >= low * (1 - 1e-6)
    assert far.refuted <= 1.06 * far.proved
    assert far.witness is not None
    json.dumps(far.to_dict(), allow_nan=False)


def test_the_shell_tells_how_far(tmp_path: Path) -> None:
    out = tmp_path / "far.json"
    done = within("verify", MOONS, ROOT / "vnnlib_specs/vnnlib/moons_upper.vnnlib", "--largest", "--json", out)
    assert done.exit_code == 0
    assert done.stdout.startswith("proved at ")
    record = json.loads(out.read_text())
    assert 1 <= record["proved"] < record["refuted"]


def test_what_does_not_hold_at_all_is_made_smaller() -> None:
    network = verifier.load_network(MOONS)
    query = verifier.always(network, box([-1, 0], [1, 2]), Y[0] > Y[1])
    far = verifier.largest(network, query, gap=0.2)
    assert 0 < far.proved < far.refuted < 1
    assert verifier.verify(network, scaled(query, far.proved)).proved
    assert far.box is not None
    assert (far.box.lower >= [-1, 0]).all()


def test_multiples_stay_within_the_range_and_keep_rows() -> None:
    network = verifier.load_network(MOONS)
    query = verifier.never(network, ball([0.5, 0.5], 0.25, norm=2) & (X[0] <= X[1]), Y[0] > 1e9)
    twice = scaled(query, 2.0, (0.25, 1.0))
    made = twice.disjuncts[0]
    assert made.box.ball is not None
    assert (made.box.ball.radius, made.rows) == (0.5, query.disjuncts[0].rows)
    assert (made.box.lower.min(), made.box.upper.max()) == (0.25, 1.0)
    with pytest.raises(verifier.VerifierError, match="range"):
        scaled(query, 2.0, (5.0, 6.0))
    far = verifier.largest(network, query, options=verifier.Options(timeout=20.0))
    assert far.proved == 2.0**20
    assert "not at all" in repr(far)


def test_once_the_box_is_the_property_itself() -> None:
    query = verifier.load_property(ROOT / "vnnlib_specs/vnnlib/moons_upper.vnnlib")
    assert scaled(query, 1.0) is query
    half = scaled(query, 0.5).disjuncts[0].box
    np.testing.assert_allclose(
        half.upper - half.lower, 0.5 * (query.disjuncts[0].box.upper - query.disjuncts[0].box.lower)
    )
