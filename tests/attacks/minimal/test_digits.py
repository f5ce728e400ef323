"""On the digits' networks, replayed in ONNX Runtime; Foolbox, where it is installed, is the other opinion."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.attacks.minimal.problems import NORMS, check
from verifier.attacks.minimal.problem import Problem
from verifier.attacks.minimal.registry import ATTACKS, attacks_for
from verifier.deadline import Deadline
from verifier.evidence.replay import Replay
from verifier.network.graph import Affine, Network
from verifier.property.query import Box
from verifier.readers.onnx import load_network

MODELS = Path(__file__).parents[3] / "vnnlib_specs" / "onnx"
SLOW = ("lbfgs", "carlini-wagner")


@cache
def digits(model: str, norm: float, count: int) -> Problem:
    data, network = load_digits(), load_network(str(MODELS / f"{model}.onnx"))
    box = Box.exact(np.zeros(64), np.ones(64))
    return Problem(network, data.data[:count] / 16.0, data.target[:count], norm, box, Replay(network).run)


@cache
def distances(name: str, model: str, norm: float, count: int) -> np.ndarray:
    asked = digits(model, norm, count)
    results = ATTACKS[name].run(asked, np.random.default_rng(0), Deadline())
    check(asked, results)
    return np.array([result.distance for result in results])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("model", ["digits_dense", "digits_conv"])
def test_every_attack_succeeds_and_the_good_ones_agree(model: str, norm: float) -> None:
    found = {a.name: distances(a.name, model, norm, 8) for a in attacks_for(norm) if a.name not in SLOW}
    best = np.min(list(found.values()), axis=0)
    for name, distance in found.items():
        assert np.isfinite(distance).all(), name
        assert np.median(distance / best) < 1.3, name
    for name in ("fmn", "fab", "fast-bisection"):
        assert np.mean(found[name] / best) < 1.05, name


@pytest.mark.parametrize(("name", "norm"), [("lbfgs", 2), ("carlini-wagner", 2), ("carlini-wagner", math.inf)])
def test_the_slow_attacks_succeed(name: str, norm: float) -> None:
    slow, good = (distances(n, "digits_dense", norm, 3) for n in (name, "fmn"))
    assert np.median(slow / good) < 1.3


def test_norms_are_in_order() -> None:
    """Of one perturbation the norms fall from 1 to inf, so the least ones nearly do, as the attacks find them."""
    one, two, most = (distances("fmn", "digits_dense", norm, 8) for norm in NORMS)
    assert (most <= two * 1.01).all()
    assert (two <= one * 1.01).all()


def test_torch_runs_the_same_attack() -> None:
    import torch

    asked = digits("digits_dense", 2, 4)
    for dtype in (torch.float64, torch.float32):
        there = Problem(asked.network, asked.x, asked.labels, 2, asked.box, asked.judge, torch.zeros(0, dtype=dtype))
        results = ATTACKS["fast-bisection"].run(there, np.random.default_rng(0), Deadline())
        check(there, results)
        found = np.array([result.distance for result in results])
        np.testing.assert_allclose(found, distances("fast-bisection", "digits_dense", 2, 4), rtol=1e-2)


def in_torch(network: Network):
    """A chain of dense layers and relus, in float32."""
    import torch

    layers: list[torch.nn.Module] = []
    for node in network.nodes[1:]:
        if isinstance(node, Affine):
            matrix = node.maps[0].to_sparse().toarray()
            layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0])
            layer.weight.data, layer.bias.data = (torch.tensor(a, dtype=torch.float32) for a in (matrix, node.bias))
            layers.append(layer)
        else:
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers).eval()


@pytest.mark.parametrize(
    ("ours", "theirs", "norm"),
    [
        ("deepfool", "L2DeepFoolAttack", 2),
        ("deepfool", "LinfDeepFoolAttack", math.inf),
        ("ddn", "DDNAttack", 2),
        ("fmn", "L1FMNAttack", 1),
        ("fmn", "LInfFMNAttack", math.inf),
    ],
)
def test_foolbox_finds_nothing_much_nearer(ours: str, theirs: str, norm: float) -> None:
    foolbox = pytest.importorskip("foolbox")
    import torch

    asked = digits("digits_dense", norm, 8)
    model = foolbox.PyTorchModel(in_torch(asked.network), bounds=(0, 1), device="cpu")
    x, labels = torch.tensor(asked.x, dtype=torch.float32), torch.tensor(asked.labels)
    torch.manual_seed(0)
    _, points, success = getattr(foolbox.attacks, theirs)()(model, x, labels, epsilons=None)
    other = np.linalg.norm(points.numpy().astype(np.float64) - asked.x, norm, axis=1)
    other[~success.numpy()] = math.inf
    mine = distances(ours, "digits_dense", norm, 8)
    assert np.median(mine / other) < 1.01
    assert (np.min([distances(a.name, "digits_dense", norm, 8) for a in attacks_for(norm)
                    if a.name not in SLOW], axis=0) <= other * 1.01).all()  # fmt: skip
