"""Bounds to train by: those of the project's own engine on the exported network, and no sample beyond them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.small import CONVOLUTIONAL, DENSE
from verifier.bounds.backward import BackwardPass
from verifier.bounds.dual_network import DualNetwork
from verifier.bounds.interval import interval_bounds as engine_intervals
from verifier.bounds.linear import linear_bounds as engine_linear
from verifier.errors import UsageError
from verifier.network.graph import Network
from verifier.training.architecture import build
from verifier.training.bounds import (
    Region,
    adaptive,
    interval_bounds,
    linear_bounds,
    margin_rows,
    parallel,
    row_bounds,
)
from verifier.training.export import export
from verifier.training.method import Moment
from verifier.training.methods import METHODS

CLOSE = 2e-4
"""Of bounds in float32, against float64, for values of about 1."""
ARCHITECTURES = (DENSE, CONVOLUTIONAL)


@pytest.fixture(params=ARCHITECTURES, ids=["dense", "convolutional"])
def networks(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[nn.Sequential, Network]:
    """A random network, and what the engine reads of it."""
    torch.manual_seed(3)
    network = build(request.param, (1, 8, 8), 10)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 2.0
    return network, export(network, np.random.default_rng(0).random((4, 64), np.float32), tmp_path / "net.onnx")


def region(epsilon: float, norm: float) -> Region:
    x = torch.rand(5, 64, generator=torch.Generator().manual_seed(5))
    return Region(x, epsilon, norm, (0.0, 1.0))


def close(found: torch.Tensor, expected: np.ndarray) -> bool:
    return bool(np.abs(found.detach().numpy() - expected).max() <= CLOSE * max(1.0, float(np.abs(expected).max())))


def boxes(asked: Region) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = asked.ends
    return lower.double().numpy(), upper.double().numpy()


@pytest.mark.parametrize("epsilon", [0.0, 0.03, 0.2])
def test_intervals_are_the_engines(networks: tuple[nn.Sequential, Network], epsilon: float) -> None:
    network, read = networks
    asked = region(epsilon, math.inf)
    last, expected = interval_bounds(network, asked)[-1], engine_intervals(read, *boxes(asked))[-1]
    assert close(last[0], expected.lower)
    assert close(last[1], expected.upper)


def test_dual_network_is_the_engines(networks: tuple[nn.Sequential, Network]) -> None:
    network, read = networks
    asked, y = region(0.05, math.inf), torch.arange(5)
    rows = margin_rows(y, 10)
    found = row_bounds(network, linear_bounds(network, asked, parallel), rows, asked, parallel)
    intervals = engine_linear(read, *boxes(asked), rule=DualNetwork)
    expected = DualNetwork(read, intervals).minimum(len(read.nodes) - 1, rows.double().numpy()).bound
    assert close(found, expected)


def test_linear_bounds_over_intervals_are_the_engines(networks: tuple[nn.Sequential, Network]) -> None:
    network, read = networks
    asked, rows = region(0.05, math.inf), margin_rows(torch.arange(5), 10)
    found = row_bounds(network, interval_bounds(network, asked), rows, asked, adaptive)
    bounder = BackwardPass(read, engine_intervals(read, *boxes(asked)))
    assert close(found, bounder.minimum(len(read.nodes) - 1, rows.double().numpy()).bound)


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_perturbed_sample_lies_beyond(networks: tuple[nn.Sequential, Network], norm: float) -> None:
    network, _ = networks
    asked, rows = region(0.1 if norm == math.inf else 0.6, norm), margin_rows(torch.arange(5), 10)
    delta = torch.randn(400, 5, 64, generator=torch.Generator().manual_seed(9))
    if norm == math.inf:
        delta = asked.epsilon * delta.sign()
    else:
        delta = asked.epsilon * delta / delta.norm(dim=2, keepdim=True)
    points = asked.x + delta
    if norm == math.inf:
        points = points.clamp(0.0, 1.0)
    with torch.no_grad():
        outputs = network(points.flatten(0, 1)).reshape(400, 5, 10)
        least = torch.einsum("nrk,snk->snr", rows, outputs).amin(0)
        intervals, linear = interval_bounds(network, asked), linear_bounds(network, asked, parallel)
        assert (outputs >= linear[-1][0] - CLOSE).all()
        assert (outputs <= linear[-1][1] + CLOSE).all()
        assert (linear[-1][0] >= intervals[-1][0] - CLOSE).all()
        loose = row_bounds(network, intervals, rows, None)
        for found in (loose, row_bounds(network, linear, rows, asked, parallel)):
            assert (found <= least + CLOSE).all()
        assert (loose > -math.inf).all()


def test_at_epsilon_zero_bounds_are_the_outputs(networks: tuple[nn.Sequential, Network]) -> None:
    network, _ = networks
    for norm in (2.0, math.inf):
        asked = region(0.0, norm)
        bounds = linear_bounds(network, asked, parallel)
        rows = torch.eye(10).expand(5, -1, -1)
        assert torch.allclose(row_bounds(network, bounds, rows, asked), network(asked.x), atol=1e-4)


def test_gradients_reach_every_weight(networks: tuple[nn.Sequential, Network]) -> None:
    network, _ = networks
    asked, rows = region(0.05, math.inf), margin_rows(torch.arange(5), 10)
    row_bounds(network, linear_bounds(network, asked, parallel), rows, asked).sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("method", ["convex", "interval", "crown-interval"])
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_gradients_are_numbers_where_an_output_sees_only_padding(method: str, norm: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Unflatten(1, (1, 3, 3)), nn.Conv2d(1, 2, 1, padding=1), nn.ReLU(), nn.Flatten())
    network.append(nn.Linear(50, 3))
    for epsilon in (0.0, 0.2):
        moment = Moment(epsilon, norm, (0.0, 1.0), 0.5)
        METHODS[method]().loss(network, torch.rand(4, 9), torch.tensor([0, 1, 2, 0]), moment).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_unknown_layers_are_refused() -> None:
    with pytest.raises(UsageError, match="Tanh"):
        interval_bounds(nn.Sequential(nn.Linear(64, 3), nn.Tanh()), region(0.1, math.inf))
