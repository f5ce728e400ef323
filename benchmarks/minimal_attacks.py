"""Minimal adversarial perturbations of scikit-learn's digits by every attack, beside Foolbox's where that is installed.

Every point, Foolbox's too, is judged in the same way: alone, in ONNX Runtime and in float64, with a strict margin,
inside [0, 1]; what fails counts as infinitely far. "To best" is the mean over the samples of the distance relative to
the least one that any attack of the table found. Passes are per sample; times are of one thread, for all samples
together.

    python benchmarks/minimal_attacks.py [--network FILE | --layers 128 64] [--samples 20] [--norms 1 2 inf] [--slow]

Without arguments it takes vnnlib_specs/onnx/digits_dense.onnx; `--layers` trains a relu network with these hidden
layers on the spot, `--slow` gives Foolbox's Carlini & Wagner its default 10,000 steps.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from verifier.attacks.minimal.hunt import Hunt
from verifier.attacks.minimal.problem import Problem, distance_up
from verifier.attacks.minimal.registry import attacks_for
from verifier.deadline import Deadline
from verifier.evidence.replay import Replay
from verifier.network.graph import Affine, Network
from verifier.property.query import Box
from verifier.readers.onnx import load_network

MODEL = Path(__file__).parent.parent / "vnnlib_specs" / "onnx" / "digits_dense.onnx"


@dataclass(frozen=True, eq=False)
class Row:
    """One attack's distances, shape (samples,), passes per sample and seconds."""

    name: str
    distances: np.ndarray
    forward: float
    backward: float
    seconds: float


def ours(problem: Problem, seed: int) -> Iterator[Row]:
    for attack in attacks_for(problem.norm):
        started = time.perf_counter()
        results = attack.run(problem, np.random.default_rng(seed), Deadline())
        seconds = time.perf_counter() - started
        passes = np.mean([[r.forward, r.backward] for r in results], axis=0)
        yield Row(attack.name, np.array([r.distance for r in results]), *passes, seconds)


def theirs(problem: Problem, seed: int, slow: bool) -> Iterator[Row]:
    import foolbox
    import torch

    carlini = {} if slow else {"steps": 1000}
    attacks: dict[float, dict[str, Any]] = {
        1: {"fmn": foolbox.attacks.L1FMNAttack()},
        2: {
            "deepfool": foolbox.attacks.L2DeepFoolAttack(),
            "carlini-wagner": foolbox.attacks.L2CarliniWagnerAttack(**carlini),
            "ddn": foolbox.attacks.DDNAttack(),
            "fmn": foolbox.attacks.L2FMNAttack(),
        },
        math.inf: {"deepfool": foolbox.attacks.LinfDeepFoolAttack(), "fmn": foolbox.attacks.LInfFMNAttack()},
    }
    x, labels = torch.tensor(problem.x, dtype=torch.float32), torch.tensor(problem.labels)
    for name, attack in attacks[problem.norm].items():
        counted = _counted(problem.network)
        model = foolbox.PyTorchModel(counted, bounds=(0, 1), device="cpu")
        torch.manual_seed(seed)
        started = time.perf_counter()
        try:
            points = attack(model, x, labels, epsilons=None)[1].numpy()
        except Exception as error:  # whatever it is, it is Foolbox's failure and belongs into the table
            print(f"foolbox {name}: {type(error).__name__}: {error}")
            points = np.full(problem.x.shape, np.nan, np.float32)
        seconds = time.perf_counter() - started
        count = len(problem.x)
        yield Row(
            f"foolbox {name}",
            judged(problem, points),
            counted.forward_rows / count,
            counted.backward_rows / count,
            seconds,
        )


def _counted(network: Network) -> Any:
    """The network, a chain of dense layers and relus, in torch; counts the rows of its passes."""
    import torch

    class Counted(torch.nn.Module):
        def __init__(self, layers: list[torch.nn.Module]) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(*layers)
            self.forward_rows = self.backward_rows = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.forward_rows += len(x)
            y = self.layers(x)
            if y.requires_grad:
                y.register_hook(self._count)
            return y

        def _count(self, gradient: torch.Tensor) -> None:
            self.backward_rows += len(gradient)

    layers: list[torch.nn.Module] = []
    for k, node in enumerate(network.nodes[1:]):
        if node.operands != (k,):
            raise SystemExit("Foolbox's part takes chains of dense layers and relus only")
        if isinstance(node, Affine):
            matrix = node.maps[0].to_sparse().toarray()
            layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0])
            layer.weight.data, layer.bias.data = (torch.tensor(a, dtype=torch.float32) for a in (matrix, node.bias))
            layers.append(layer.requires_grad_(False))
        else:
            layers.append(torch.nn.ReLU())
    return Counted(layers).eval()


def judged(problem: Problem, points: np.ndarray) -> np.ndarray:
    """The distances of the float32 `points`, infinite where one is no witness."""
    hunt = Hunt(problem)
    return np.array(
        [
            distance_up(problem.norm, problem.x[n], point.astype(np.float64)) if hunt.holds(n, point) else math.inf
            for n, point in enumerate(points)
        ]
    )


def trained(hidden: list[int], x: np.ndarray, labels: np.ndarray) -> Network:
    """A relu network on the digits, trained by Adam on the whole set with seed 0."""
    import torch

    torch.manual_seed(0)
    sizes, layers = [64, *hidden, 10], list[torch.nn.Module]()
    for before, after in pairwise(sizes):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(labels)
    for _ in range(200):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trained.onnx"
        torch.onnx.export(model, torch.zeros(1, 64), str(path), dynamo=False, input_names=["X"], output_names=["Y"])
        return load_network(str(path))


def show(norm: float, rows: list[Row]) -> None:
    best = np.min([row.distances for row in rows], axis=0)
    print(f"\n{norm}-norm, {len(best)} samples, {int((best == 0).sum())} misclassified to begin with")
    print(f"{'attack':24} {'median':>9} {'success':>8} {'to best':>8} {'forward':>8} {'backward':>8} {'seconds':>8}")
    counts = np.isfinite(best) & (best > 0)
    for row in rows:
        success = np.isfinite(row.distances).mean()
        ratio = float((row.distances[counts] / best[counts]).mean())
        print(
            f"{row.name:24} {np.median(row.distances):9.5f} {success:8.0%} {ratio:8.4f} "
            f"{row.forward:8.0f} {row.backward:8.0f} {row.seconds:8.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=MODEL)
    parser.add_argument("--layers", type=int, nargs="+")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--norms", type=float, nargs="+", default=[1, 2, math.inf])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slow", action="store_true")
    arguments = parser.parse_args()
    data = load_digits()
    x, labels = data.data / 16.0, data.target
    network = trained(arguments.layers, x, labels) if arguments.layers else load_network(str(arguments.network))
    box, replay = Box.exact(np.zeros(64), np.ones(64)), Replay(network)
    for norm in arguments.norms:
        problem = Problem(network, x[: arguments.samples], labels[: arguments.samples], norm, box, replay.run)
        rows = list(ours(problem, arguments.seed))
        if importlib.util.find_spec("foolbox"):
            rows += theirs(problem, arguments.seed, arguments.slow)
        show(norm, rows)


if __name__ == "__main__":
    main()
