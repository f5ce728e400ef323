"""Random VNN-LIB 2.0 queries beside samples: two networks, related inputs, hidden tensors, products, missing bounds.

    python -m benchmarks.fuzz.queries [--seconds 3600] [--seed 0] [--only CASE]

Thresholds lie at, or a little beyond, what samples reach, so that both answers occur. Wrong is `unsat` where a sample
is a violation by more than float64 rounds, and a witness that breaks a relation, a bound or a row when it is computed
anew.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.fuzz.harness import Case, fuzz
from verifier import Options, VerifierError, load_query, verify

SAMPLES = 20_000
TIMEOUT, LIMIT = 2.0, 40.0
ROOM = 1e-9
"""A sample counts where it is a violation by more than this, relative to the value."""
LOOSE = 1e-4
"""What a witness, computed in float32, may miss the samples' arithmetic by, relative to the value."""

Element = tuple[str, int]
Values = dict[Element, np.ndarray]


@dataclass
class Net:
    """relu network of two inputs: four hidden values, two outputs."""

    weights: list[np.ndarray]

    @classmethod
    def random(cls, rng: np.random.Generator) -> Net:
        shapes = ((2, 4), (4,), (4, 2), (2,))
        return cls([np.round(rng.normal(size=shape), 2).astype(np.float32) for shape in shapes])

    def near(self, rng: np.random.Generator) -> Net:
        """Another one with almost the same weights."""
        return Net([w + np.float32(0.01) * rng.integers(-2, 3, w.shape).astype(np.float32) for w in self.weights])

    def values(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b, c, d = (w.astype(np.float64) for w in self.weights)
        hidden = np.maximum(x @ a + b, 0.0)
        return hidden, hidden @ c + d

    def write(self, path: Path) -> Path:
        nodes = [
            helper.make_node("Gemm", ["x", "a", "b"], ["z"]),
            helper.make_node("Relu", ["z"], ["h"]),
            helper.make_node("Gemm", ["h", "c", "d"], ["y"]),
        ]
        stored = [numpy_helper.from_array(w, name) for w, name in zip(self.weights, "abcd", strict=True)]
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
        graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], stored)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
        return path


@dataclass
class Question:
    """A query under construction: its text, bounds and relations, and rows as (factor, element, element or None)."""

    rng: np.random.Generator
    nets: dict[str, Net] = field(default_factory=dict)
    declarations: str = ""
    assertions: list[str] = field(default_factory=list)
    bounds: dict[Element, tuple[float, float]] = field(default_factory=dict)
    relations: list[tuple[int, float, float]] = field(default_factory=list)
    rows: list[tuple[list[tuple[float, Element, Element | None]], float]] = field(default_factory=list)

    def declare(self, name: str, net: Net, letters: str, relation: str = "") -> None:
        x, h, y = letters
        self.nets[letters] = net
        self.declarations += f"(declare-network {name} {relation} (declare-input {x} real [1,2])"
        self.declarations += f' (declare-hidden {h} real [1,4] "h") (declare-output {y} real [1,2]))\n'

    def bound(self, letter: str, infinite: float) -> None:
        for i in range(2):
            low, high = (round(float(v), 2) for v in (self.rng.uniform(-2, 0), self.rng.uniform(0, 2)))
            low = -math.inf if self.rng.random() < infinite else low
            high = math.inf if self.rng.random() < infinite else high
            self.bounds[letter, i] = low, high
            self.assertions += [f"(>= {letter}[0,{i}] {low})"] if math.isfinite(low) else []
            self.assertions += [f"(<= {letter}[0,{i}] {high})"] if math.isfinite(high) else []

    def relate(self) -> None:
        """Says how far the inputs U lie from X."""
        for i in range(2):
            low, high = -round(float(self.rng.uniform(0, 0.3)), 2), round(float(self.rng.uniform(0, 0.3)), 2)
            kind = self.rng.choice(["equal", "near", "above", "free"])
            difference = f"(- U[0,{i}] X[0,{i}])"
            if kind == "equal":
                self.assertions.append(f"(== U[0,{i}] X[0,{i}])")
                self.relations.append((i, 0.0, 0.0))
            elif kind == "near":
                self.assertions += [f"(<= {difference} {high})", f"(>= {difference} {low})"]
                self.relations.append((i, low, high))
            elif kind == "above":
                self.assertions.append(f"(>= U[0,{i}] X[0,{i}])")
                self.relations.append((i, 0.0, 2.0))

    def sampled(self) -> Values:
        """Values of all elements at inputs that bounds and relations allow."""
        values: Values = {}
        for element, (low, high) in self.bounds.items():
            scale = np.abs(self.rng.normal(size=SAMPLES)) * 10.0 ** self.rng.uniform(-1, 3, SAMPLES)
            if math.isfinite(low) and math.isfinite(high):
                values[element] = self.rng.uniform(low, high, SAMPLES)
            elif math.isfinite(low) or math.isfinite(high):
                values[element] = low + scale if math.isfinite(low) else high - scale
            else:
                values[element] = scale * self.rng.choice([-1.0, 1.0], SAMPLES)
        for i, low, high in self.relations:
            values["U", i] = values["X", i] + self.rng.uniform(low, high, SAMPLES)
        return self.computed(values)

    def computed(self, inputs: Values) -> Values:
        values = dict(inputs)
        for (x, h, y), net in self.nets.items():
            hidden, outputs = net.values(np.stack([values[x, i] for i in range(2)], axis=1))
            values |= {(h, i): hidden[:, i] for i in range(4)} | {(y, i): outputs[:, i] for i in range(2)}
        return values

    def within(self, values: Values, slack: float = 0.0) -> np.ndarray:
        """Which samples obey bounds and relations."""
        found = [(values[e] >= low - slack) & (values[e] <= high + slack) for e, (low, high) in self.bounds.items()]
        for i, low, high in self.relations:
            apart = values["U", i] - values["X", i]
            found.append((apart >= low - slack) & ((apart <= high + slack) | (high == 2.0)))
        return np.asarray(np.logical_and.reduce(found))

    def add_row(self, values: Values, products: bool) -> None:
        """A row whose threshold lies about at the largest value that samples reach."""
        elements = list(values)
        terms: list[tuple[float, Element, Element | None]] = []
        for k in self.rng.choice(len(elements), self.rng.integers(1, 4), replace=False):
            other = elements[self.rng.integers(len(elements))] if products and self.rng.random() < 0.5 else None
            terms.append((float(self.rng.choice([1.0, -1.0, 2.0, -0.5])), elements[k], other))
        seen = _value(terms, values)[self.within(values)]
        beyond = self.rng.choice([0.0, 0.001, 0.1]) * (1 + float(np.std(seen))) if self.rng.random() < 0.6 else 0.0
        threshold = round(float(np.quantile(seen, self.rng.choice([1.0, 1.0, 0.95]))) + beyond, 4)
        self.rows.append((terms, threshold))
        told = " ".join(f"(* {c} {_name(a)}{'' if b is None else ' ' + _name(b)})" for c, a, b in terms)
        self.assertions.append(f"(>= (+ {told} 0.0) {threshold:.6f})")

    def violated(self, values: Values, room: float) -> np.ndarray:
        found = self.within(values, max(0.0, -room))
        for terms, threshold in self.rows:
            value = _value(terms, values)
            found &= value >= threshold + room * (1 + np.abs(value))
        return found


def _name(element: Element) -> str:
    return f"{element[0]}[0,{element[1]}]"


def _value(terms: list[tuple[float, Element, Element | None]], values: Values) -> np.ndarray:
    return np.sum([c * values[a] * (1.0 if b is None else values[b]) for c, a, b in terms], axis=0)


def made(rng: np.random.Generator, folder: Path) -> tuple[Question, dict[str, Path]]:
    """A question, and its models."""
    question, net = Question(rng), Net.random(rng)
    infinite = rng.choice([0.0, 0.0, 0.3])
    question.declare("f", net, "XHY")
    question.bound("X", infinite)
    models = {"f": net.write(folder / "f.onnx")}
    if rng.random() < 0.6:
        equal = rng.random() < 0.5
        other = net if equal else net.near(rng)
        question.declare("g", other, "UKV", "(equal-to f)" if equal else "(isomorphic-to f)")
        question.bound("U", infinite)
        question.relate()
        models |= {} if equal else {"g": other.write(folder / "g.onnx")}
    return question, models


def work(case: Case) -> None:
    question, models = made(case.rng, case.folder)
    values = question.sampled()
    if not question.within(values).any():
        case.count("no sample")
        return
    for _ in range(case.rng.integers(1, 3)):
        question.add_row(values, products=case.rng.random() < 0.4)
    path = case.folder / "query.vnnlib"
    text = "".join(f"(assert {assertion})\n" for assertion in question.assertions)
    path.write_text(f"(vnnlib-version <2.0>)\n{question.declarations}{text}")
    try:
        network, query = load_query(path, models, allow_empty=True)
        verdict = verify(network, query, options=Options(timeout=TIMEOUT))
    except VerifierError as error:
        case.blame("refused", str(error))
        return
    case.count(verdict.status.value)
    if verdict.status.value == "unsat" and question.violated(values, ROOM).any():
        case.blame("wrong unsat", str(path))
    if verdict.witness is not None:
        point = [np.array([v]) for v in verdict.witness.x.astype(np.float64)]
        inputs = dict(zip(question.bounds, point, strict=True))
        if not question.violated(question.computed(inputs), -LOOSE).all():
            case.blame("wrong witness", str(verdict.witness.x))


if __name__ == "__main__":
    sys.exit(min(1, fuzz("queries", work, LIMIT, __doc__)))
