"""The line-up: what is kept is used again, what accuracy allows, the page."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.cli.within import within
from verifier.errors import VerifierError
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.radii.data import LabelledData
from verifier.training.recipe import recipe_names
from verifier.zoo import line_up as lines
from verifier.zoo.line_up import Plan, room, spread
from verifier.zoo.one_pass import one_pass


def test_half_the_distance_to_another_class() -> None:
    data = LabelledData("points", np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]]), np.array([0, 0, 1]))
    assert room(data, [0, 1, 2], 2.0).tolist() == [2.5, math.sqrt(20) / 2, math.sqrt(20) / 2]
    assert room(data, [0], math.inf).tolist() == [2.0]


def test_samples_are_spread() -> None:
    assert spread(100, 3) == [0, 49, 99]
    assert spread(2, 50) == [0, 1]


def test_the_line_up_is_all_of_digits() -> None:
    names = Plan(Path("x")).names
    assert names == [name for name in recipe_names() if name.startswith("digits-")]
    assert len(names) >= 15


def test_certificates_of_one_pass_are_margins_over_constants() -> None:
    """Of f(x) = (x1, -x2, 0), whose differences have norms sqrt(2), 1 and 1."""
    rows = np.array([[1.0, 0.0], [0.0, -1.0], [0.0, 0.0]])
    network = Network((Input(2), Affine((0,), (Dense(rows),), np.zeros(3))))
    data = LabelledData("points", np.array([[3.0, 0.0], [1.0, 2.0], [-1.0, 0.0]]), np.array([0, 0, 1]))
    found = one_pass(network, data)
    assert found.constant == pytest.approx(1.0, rel=1e-6)
    assert found.medians["lipschitz"] == pytest.approx(1 / math.sqrt(2), rel=1e-6)
    assert found.medians["cross-lipschitz"] == pytest.approx(1.0, rel=1e-6)
    assert found.medians["cross-lipschitz"] <= 1.0


@pytest.mark.slow
def test_the_page_is_made_and_nothing_is_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["zoo", "--output", str(tmp_path), "--samples", "4", "--recipes", "digits-standard,digits-cayley"]
    done = within(*command, "--workers", "1")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "zoo.md").read_text()
    assert "| standard |" in text
    assert "| cayley |" in text
    for name in ("zoo-2.png", "zoo-inf.png", "zoo-2-methods.png", "zoo-inf-methods.png", "zoo-levels.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("done twice")

    monkeypatch.setattr(lines, "train", never)
    again = within(*command, "--workers", "1")
    assert (again.exit_code, (tmp_path / "zoo.md").read_text()) == (0, text)


def test_mistakes() -> None:
    done = within("zoo", "--recipes", "digits-magic")
    assert isinstance(done.exception, VerifierError)
    assert "digits-magic" in str(done.exception)
