"""Queries that only VNN-LIB 2.0 can ask: two inputs of one network, quadratic distances, Lyapunov functions.

Every query is planted, so that its answer is known, and half of a kind can be satisfied: a threshold lies beyond a
bound that holds by construction, or below a value that an input reaches.

    python benchmarks/vnnlib2_queries.py [--each 20] [--timeout 60]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import verifier

HEAD = "(vnnlib-version <2.0>)\n"


@dataclass(frozen=True)
class Asked:
    """A query, its models, and its answer."""

    text: str
    models: dict[str, Path]
    answer: str


def write(path: Path, weights: list[np.ndarray], biases: list[np.ndarray]) -> Path:
    """A relu network, one row of inputs."""
    nodes, stored, current = [], [], "x"
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        stored += [numpy_helper.from_array(a.astype(np.float32), f"{n}{k}") for n, a in (("w", weight), ("b", bias))]
        nodes.append(helper.make_node("Gemm", [current, f"w{k}", f"b{k}"], [f"z{k}"]))
        current = f"z{k}"
        if k + 1 < len(weights):
            nodes.append(helper.make_node("Relu", [current], [f"h{k}"]))
            current = f"h{k}"
    sizes = weights[0].shape[0], weights[-1].shape[1]
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in zip(("x", current), sizes, strict=True)
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def layers(rng: np.random.Generator, sizes: list[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Random weights, none of which float32 rounds, and biases."""
    weights = [rng.normal(size=pair) / np.sqrt(pair[0]) for pair in pairwise(sizes)]
    biases = [0.1 * rng.normal(size=size) for size in sizes[1:]]
    return [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in biases]


def box(name: str, low: list[float], high: list[float]) -> str:
    pairs = enumerate(zip(low, high, strict=True))
    return "".join(f"(assert (and (>= {name}[0,{i}] {a:.6f}) (<= {name}[0,{i}] {b:.6f})))\n" for i, (a, b) in pairs)


def networks(inputs: int, outputs: int, *names: str) -> str:
    found = ""
    for k, name in enumerate(names):
        relation = "" if k == 0 else f"(equal-to {names[0]})"
        found += f"(declare-network {name} {relation} (declare-input X{name} real [1,{inputs}])"
        found += f" (declare-output Y{name} real [1,{outputs}]))\n"
    return found


def monotone(rng: np.random.Generator, folder: Path, holds: bool) -> Asked:
    """A network that rises in its first input: no larger one gives less; where it does not hold, one weight falls."""
    weights, biases = layers(rng, [5, 40, 40, 1])
    weights[0][0] = np.abs(weights[0][0])
    weights[1:] = [np.abs(w) for w in weights[1:]]
    if not holds:
        weights[0][0] = -weights[0][0]
    same = "".join(f"(assert (== Xg[0,{i}] Xf[0,{i}]))\n" for i in range(1, 5))
    text = networks(5, 1, "f", "g") + box("Xf", [-1.0] * 5, [1.0] * 5) + box("Xg", [-1.0] * 5, [1.0] * 5) + same
    text += "(assert (>= Xg[0,0] Xf[0,0]))\n(assert (< Yg[0,0] Yf[0,0]))\n"
    return Asked(text, {"f": write(folder / "f.onnx", weights, biases)}, "unsat" if holds else "sat")


def lipschitz(rng: np.random.Generator, folder: Path, holds: bool) -> Asked:
    """Inputs 0.01 apart: outputs are no further apart than absolute weights say, and about as far as a sample shows."""
    weights, biases = layers(rng, [5, 12, 12, 1])
    most = 0.01 * float(np.abs(weights[0]).sum(axis=0) @ np.abs(weights[1]) @ np.abs(weights[2])[:, 0])
    x = rng.uniform(-0.5, 0.5, (1000, 5))
    apart = x + 0.01 * np.sign(rng.normal(size=x.shape))
    seen = float(np.abs(_forward(weights, biases, apart) - _forward(weights, biases, x)).max())
    near = "".join(
        f"(assert (and (<= (- Xg[0,{i}] Xf[0,{i}]) 0.01) (>= (- Xg[0,{i}] Xf[0,{i}]) -0.01)))\n" for i in range(5)
    )
    text = networks(5, 1, "f", "g") + box("Xf", [-0.6] * 5, [0.6] * 5) + box("Xg", [-0.6] * 5, [0.6] * 5) + near
    text += f"(assert (>= (- Yg[0,0] Yf[0,0]) {1.01 * most if holds else 0.9 * seen:.6f}))\n"
    return Asked(text, {"f": write(folder / "f.onnx", weights, biases)}, "unsat" if holds else "sat")


def cruise(rng: np.random.Generator, folder: Path, holds: bool) -> Asked:
    """Gap and speed of a car that brakes by clip(k speed, 1): its gap less a share of the speed's square after a step.

    With gains k between 1 and 2 the speed after is largest from the largest speed s, s - 1 / 2.
    """
    gain, speed, gap = rng.uniform(1.0, 2.0), rng.uniform(1.2, 1.6), rng.uniform(1.0, 2.0)
    weights = [np.array([[0.0], [gain]]), np.array([[-1.0]]), np.array([[1.0]])]  # 1 - relu(1 - relu(k speed))
    model = write(folder / "f.onnx", weights, [np.zeros(1), np.ones(1), -np.ones(1)])
    after = "(+ Xf[0,1] (* 0.5 Yf[0,0]))"
    share = rng.uniform(0.1, 0.3)
    limit = gap - share * (speed - 0.5) ** 2 + (-0.01 if holds else 0.01)
    text = networks(2, 1, "f") + box("Xf", [gap, 0.0], [gap + 2.0, speed])
    text += f"(assert (<= (- Xf[0,0] (* {share:.6f} {after} {after})) {limit:.6f}))\n"
    return Asked(text, {"f": model}, "unsat" if holds else "sat")


def lyapunov(rng: np.random.Generator, folder: Path, holds: bool) -> Asked:
    """Steps x + 0.1 (x_1, u) with u = -k x by relus: V = x'Px falls outside a ball by less than a share of itself.

    P is the sum of the first 400 V of the linear system, so that V falls by about |x|^2 a step.
    """
    gains = np.array([rng.uniform(0.8, 1.5), rng.uniform(1.5, 2.5)])
    step = np.array([[1.0, 0.1], [-0.1 * gains[0], 1.0 - 0.1 * gains[1]]])
    total, power = np.zeros((2, 2)), np.eye(2)
    for _ in range(400):
        total, power = total + power.T @ power, step @ power
    total = np.round(total / np.abs(total).max(), 4)
    model = write(
        folder / "f.onnx", [np.stack([gains, -gains], axis=1), np.array([[-1.0], [1.0]])], [np.zeros(2), np.zeros(1)]
    )
    x, v, u = "Xf[0,0]", "Xf[0,1]", "Yf[0,0]"

    def value(a: str, b: str) -> str:
        return f"(+ (* {total[0, 0]:.4f} {a} {a}) (* {2 * total[0, 1]:.4f} {a} {b}) (* {total[1, 1]:.4f} {b} {b}))"

    after = value(f"(+ {x} (* 0.1 {v}))", f"(+ {v} (* 0.1 {u}))")
    text = networks(2, 1, "f") + box("Xf", [-1.0, -1.0], [1.0, 1.0])
    text += f"(assert (>= (+ (* {x} {x}) (* {v} {v})) 0.25))\n"
    text += f"(assert (> (- {after} (* {1.0 if holds else 0.7} {value(x, v)})) 0.0))\n"
    return Asked(text, {"f": model}, "unsat" if holds else "sat")


def _forward(weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = x @ weight + bias
        x = np.maximum(x, 0.0) if k + 1 < len(weights) else x
    return x


KINDS: dict[str, Callable[[np.random.Generator, Path, bool], Asked]] = {
    "monotone, two inputs of one network": monotone,
    "Lipschitz, two near inputs": lipschitz,
    "quadratic safe distance": cruise,
    "Lyapunov function x'Px": lyapunov,
}


def answers(
    make: Callable[[np.random.Generator, Path, bool], Asked], each: int, timeout: float
) -> Iterator[tuple[str, str, float]]:
    """Of each query the known answer, the one found, and the seconds."""
    for number in range(each):
        with tempfile.TemporaryDirectory() as folder:
            asked = make(np.random.default_rng(number), Path(folder), number % 2 == 0)
            path = Path(folder, "query.vnnlib")
            path.write_text(HEAD + asked.text)
            started = time.perf_counter()
            network, query = verifier.load_query(path, asked.models)
            verdict = verifier.verify(network, query, options=verifier.Options(timeout=timeout))
            yield asked.answer, verdict.status.value, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=60.0)
    arguments = parser.parse_args()
    for kind, make in KINDS.items():
        found = list(answers(make, arguments.each, arguments.timeout))
        right = sum(known == said for known, said, _ in found)
        wrong = sum({known, said} == {"sat", "unsat"} for known, said, _ in found)
        slowest = max(seconds for *_, seconds in found)
        print(f"{kind}: {right} of {len(found)} decided, {wrong} wrong, the slowest in {slowest:.1f} s", flush=True)


if __name__ == "__main__":
    main()
