"""What the large networks' benchmark rests on: its interval bounds, the properties it writes, its table."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.large.classifiers import sized
from benchmarks.large.measuring import Outcome, Reading
from benchmarks.large.modules import Beside, Reshape, block, convolution, interval
from benchmarks.large.queries import Folder, Query, around, violated
from benchmarks.large.table import COMPARED, HEADING, comparison, row
from benchmarks.large.training import export
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property


@pytest.fixture
def module() -> nn.Sequential:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    up = nn.Sequential(nn.AvgPool2d(2), nn.ConvTranspose2d(4, 2, 2, 2))
    made = nn.Sequential(convolution(1, 4), nn.ReLU(), block(4, 4), Beside(up), nn.MaxPool2d(2), nn.Flatten())
    made.append(nn.Linear(24, 6)).append(Reshape(3, 2)).append(nn.Flatten())
    made(torch.rand(8, 1, 4, 4))  # statistics of the normalisations
    return made.eval()


def test_intervals_contain_the_outputs(module: nn.Sequential) -> None:
    exact, x = module.double(), torch.rand(1, 1, 4, 4, dtype=torch.float64)
    low, high = interval(exact, *around(x, 0.1))
    points = (x + 0.1 * (2 * torch.rand(50, 1, 4, 4, dtype=torch.float64) - 1)).clamp(0, 1)
    values = exact(points)
    assert bool(((low <= values) & (values <= high)).all())
    middle = interval(exact, x, x)
    assert torch.allclose(middle[0], exact(x))
    assert torch.allclose(middle[1], exact(x))


def test_planted_queries_are_read_as_they_are_meant(module: nn.Sequential, tmp_path) -> None:
    folder, x = Folder(tmp_path / "kind"), torch.rand(1, 1, 4, 4)
    path, label = folder.model("net"), int(module(x).argmax())
    export(module, x, path)
    for query in sized(module, lambda e: around(x, e), label, 6, 1.0, {"half": 0.5, "broken": 1.1}):
        folder.add(path, query)
    folder.close()
    assert [line["truth"] for line in folder.lines] == ["unsat", "unknown", "sat"]
    read = load_network(path)
    for line in folder.lines:
        asked = load_property(tmp_path / str(line["vnnlib"]))
        assert len(asked.disjuncts) == 5
        assert asked.disjuncts[0].box.lower.size == read.input_size


def test_a_wrong_truth_is_refused(module: nn.Sequential, tmp_path) -> None:
    folder, x = Folder(tmp_path / "kind"), torch.rand(1, 1, 4, 4)
    export(module, x, folder.model("net"))
    for truth, constant in (("sat", -1e6), ("unsat", 1e6)):
        with pytest.raises(ArithmeticError, match="net wrong"):
            folder.add(folder.model("net"), Query("wrong", x, x, [[(0, "<=", constant)]], truth))


@pytest.mark.parametrize(("rows", "expected"), [([[(0, "<=", 1)]], True), ([[(0, "<=", 1), (1, ">=", 2.5)]], False)])
def test_a_violation_is_all_rows_of_a_conjunction(rows, expected) -> None:
    assert violated(rows, np.array([1.0, 2.0])) is expected


def test_tables_have_80_columns() -> None:
    before = Outcome("qoperator", "picture36", "unsat", "timeout", 61.0, 50.0, 1234.0, -2.2e-308)
    after = Outcome("qoperator", "picture36", "unsat", "sat", 1.0, 1.0, 123.0, None)
    lines = [*comparison([before], [after]), HEADING, COMPARED, row(before, Reading(1670000, 155648, 315000), True)]
    assert all(len(line) <= 80 for line in lines)
    assert row(after, Reading(1, 1, 1), True).endswith("WRONG")
