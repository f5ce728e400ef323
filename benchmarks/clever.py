"""CLEVER beside the Adversarial Robustness Toolbox's on the same network, samples, balls and numbers of points.

Both draw `--batches` maxima of `--batch-size` gradients of all pairs of classes: ours from as many points of their own,
ART's with replacement from a pool of the same size. Seeds are of both. The network is `digits_dense.onnx`, rebuilt as a
torch model from its weights. A score is at most the ball's radius, which is twice the distance of an attack, so that
this decides nothing.

Printed are, for each norm, the medians over samples of each one's mean score, of its spread (standard deviation over
seeds) relative to it, and of the ratio of the two; the share of samples where the means differ by at most twice what
both spreads make of a mean's error; and failures: what is raised, scores that are not finite or not positive, and ends
of the fitted law more than twice as far as the largest of as many gradients (a score of less than half of what that
gives).

    python -m benchmarks.clever [--samples 12] [--seeds 5] [--batches 50] [--batch-size 100] [--norms 1 2 inf]

ART goes anywhere on PYTHONPATH: pip install --target FOLDER --no-deps adversarial-robustness-toolbox six tqdm
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from verifier.attacks.minimal.registry import ATTACKS
from verifier.deadline import Deadline
from verifier.lipschitz.clever import CleverOptions, clever
from verifier.network.graph import Affine, Elementwise, Network
from verifier.radii.question import RadiusQuestion
from verifier.readers.onnx import load_network

MODEL = Path(__file__).parent.parent / "vnnlib_specs" / "onnx" / "digits_dense.onnx"
FLOAT32 = 1e-5
"""ART runs in float32; a relative difference of this is its rounding. Some scores do not depend on the seed."""


@dataclass
class Scores:
    """Of one implementation in one norm: a row a sample, a column a seed; NaN where it failed."""

    values: list[list[float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, scores: list[Callable[[], float]], least: float) -> None:
        """Takes the scores of one sample; below `least` a fit has failed."""
        row = []
        for score in scores:
            start = time.perf_counter()
            try:
                value = score()
            except Exception as error:  # whatever ART's fit raises is what is counted here
                value = math.nan
                self.failures.append(f"{type(error).__name__}: {error}")
            else:
                if not least <= value < math.inf:
                    self.failures.append("the fitted end is too far" if 0 < value < least else f"a score of {value}")
                    value = math.nan
            self.seconds += time.perf_counter() - start
            row.append(value)
        self.values.append(row)


def torch_model(network: Network) -> Any:
    """A chain of affine nodes and relus as a torch model, float32."""
    import torch

    layers: list[torch.nn.Module] = []
    for node in network.nodes[1:]:
        if isinstance(node, Affine):
            weight = torch.tensor(node.maps[0].to_sparse().toarray(), dtype=torch.float32)
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                layer.weight.copy_(weight)
                layer.bias.copy_(torch.tensor(np.asarray(node.bias), dtype=torch.float32))
            layers.append(layer)
        else:
            assert isinstance(node, Elementwise)
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers)


def art_classifier(network: Network) -> Any:
    """The network as ART takes it."""
    import torch
    from art.estimators.classification import PyTorchClassifier

    model = torch_model(network).eval()
    x = np.random.default_rng(0).random((16, network.input_size)).astype(np.float32)
    difference = np.abs(model(torch.tensor(x)).detach().numpy() - network.forward(x.astype(np.float64))).max()
    assert difference < 1e-4, f"the rebuilt model differs by {difference}"
    return PyTorchClassifier(
        model, torch.nn.CrossEntropyLoss(), (network.input_size,), network.output_size, device_type="cpu"
    )


def compared(arguments: argparse.Namespace, norm: float) -> tuple[Scores, Scores]:
    """Ours and ART's scores of the first samples that are classified as labelled."""
    from art.metrics.metrics import clever_u

    network = load_network(str(MODEL))
    classifier, data, sizes = art_classifier(network), load_digits(), (arguments.batches, arguments.batch_size)
    ours, theirs = Scores(), Scores()
    for n in range(len(data.data)):
        if len(ours.values) == arguments.samples:
            break
        question = RadiusQuestion(network, data.data[n] / 16.0, int(data.target[n]), norm)
        if question.predicted != question.kept:
            continue
        radius = 2 * ATTACKS["fast-bisection"].run(question.problem, np.random.default_rng(0), Deadline())[0].distance

        def own(seed: int, q: RadiusQuestion = question, radius: float = radius, significance: float = 0.05) -> float:
            options = CleverOptions(radius, *sizes, significance, seed)
            return clever(q.network, q.x, q.kept, norm, options).radius.radius

        def other(seed: int, q: RadiusQuestion = question, radius: float = radius) -> float:
            np.random.seed(seed)  # noqa: NPY002 - ART draws from the global generator
            x = q.x.astype(np.float32)
            return float(clever_u(classifier, x, *sizes, radius, norm, pool_factor=sizes[0], verbose=False))

        least = 0.5 * own(arguments.seeds, significance=2.0)  # which no fit has: the largest sample stands in
        ours.add([lambda seed=seed: own(seed) for seed in range(arguments.seeds)], least)  # type: ignore[misc]
        theirs.add([lambda seed=seed: other(seed) for seed in range(arguments.seeds)], least)  # type: ignore[misc]
    return ours, theirs


def show(norm: float, ours: Scores, theirs: Scores) -> None:
    """Prints one norm's comparison."""
    tables = [np.array(scores.values) for scores in (ours, theirs)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # samples where all seeds failed
        means = [np.nanmean(table, axis=1) for table in tables]
        spreads = [np.nanstd(table, axis=1, ddof=1) for table in tables]
    error = np.sqrt((spreads[0] ** 2 + spreads[1] ** 2) / tables[0].shape[1])
    usable = np.isfinite(error)
    apart = np.abs(means[0] - means[1])[usable] - FLOAT32 * means[0][usable]
    agree, single = apart <= 2 * error[usable], apart <= 2 * np.hypot(*spreads)[usable]
    print(f"\n{norm:g}-norm, {len(means[0])} samples, {tables[0].shape[1]} seeds")
    for name, mean, spread, scores in zip(("ours", "ART"), means, spreads, (ours, theirs), strict=True):
        told = f"median score {np.nanmedian(mean):.5f}, spread {np.nanmedian(spread / mean):.2%}"
        print(f"{name:5} {told}, {len(scores.failures)} failures, {scores.seconds:.0f} s")
    ratios = (means[0] / means[1])[usable]
    print(f"ours / ART: median {np.median(ratios):.4f}, from {ratios.min():.4f} to {ratios.max():.4f}")
    for n, row in enumerate(np.stack([*means, *spreads], axis=1)):
        print(f"  {n}: ours {row[0]:.5f} +- {row[2]:.5f}, ART {row[1]:.5f} +- {row[3]:.5f}")
    print(f"means within twice their error: {agree.mean():.0%}; within twice one score's spread: {single.mean():.0%}")
    for told in sorted(set(theirs.failures)):
        print(f"ART failed {theirs.failures.count(told)} times: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--norms", type=float, nargs="+", default=[1, 2, math.inf])
    arguments = parser.parse_args()
    for norm in arguments.norms:
        show(norm, *compared(arguments, norm))


if __name__ == "__main__":
    main()
