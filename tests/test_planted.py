"""What the benchmark of planted counterexamples rests on: descents stay in the box, and what is hidden is checked."""

from __future__ import annotations

import pytest
import torch

from benchmarks.large.queries import Folder
from benchmarks.planted.making import (
    EPSILON,
    Planted,
    Recipe,
    add,
    anywhere,
    descended,
    hidden,
    leads,
    network,
    planted,
)
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property


@pytest.fixture
def made() -> Planted:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sample = torch.rand(1, 128)
    return Planted(network(), sample, sample + EPSILON * 0.99)


def test_descents_go_down_and_stay_in_the_box(made: Planted) -> None:
    starts = anywhere(made, 6)
    reached = descended(made, starts, 5, 0.1)
    low, high = made.box
    assert bool(((low <= reached) & (reached <= high)).all())
    assert float((leads(made.module, reached) - leads(made.module, starts)).mean().detach()) < 0


def test_nothing_counts_as_hidden_that_is_no_violation_or_found_at_once(made: Planted) -> None:
    last = made.module[-1]
    for lead in (10.0, -10.0):
        with torch.no_grad():
            last.bias.zero_()
            last.bias[0] = lead
        assert not hidden(made, 2, 1)


def test_a_network_without_its_point_is_refused(made: Planted, tmp_path) -> None:
    with torch.no_grad():
        made.module[-1].bias[0] = 10.0
    with pytest.raises(ArithmeticError):
        add(Folder(tmp_path), 1, made)
    with pytest.raises(ArithmeticError):
        planted(1, Recipe(rounds=2, restarts=4, steps=1, every=1, search=(2, 1)))


def test_the_query_is_the_box_and_all_other_classes(made: Planted, tmp_path) -> None:
    with torch.no_grad():
        made.module[-1].bias[0] = -10.0
    folder = Folder(tmp_path)
    add(folder, 1, made)
    (line,) = folder.lines
    assert line["truth"] == "sat"
    read = load_network(tmp_path / "planted-1.onnx")
    asked = load_property(tmp_path / "planted-1-hidden.vnnlib")
    assert read.input_size == 128
    assert len(asked.disjuncts) == 4
