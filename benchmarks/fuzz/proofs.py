"""Changed proofs of random and of real claims: what doubles accept, rational numbers accept; false claims have none.

    python -m benchmarks.fuzz.proofs [--seconds 3600] [--seed 0] [--only CASE]

A case draws a claim: a tiny random network, piecewise linear, smooth or with products, with a threshold near its
smallest value, or one of our own properties, or, where VERIFIER_VNNCOMP names a folder with an index, a small real one.
Its proof is written, accepted both ways, and then changed in one to three places, a hundred times: numbers, signs,
missing and repeated entries, leaves of other disjuncts, facts elsewhere, other quantities. Wrong is a changed proof
that doubles accept and rational numbers do not; and any proof, changed or not, of the claim with its threshold moved to
where a known input violates it by 1e-6.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.fuzz.harness import Case, fuzz
from verifier import Options, load_network, load_property
from verifier.checker.bounds import Bounder, Weak
from verifier.checker.check import Check
from verifier.checker.claim import Claim, read_property
from verifier.checker.graph import Graph
from verifier.checker.model import read_model
from verifier.checker.proof import RAGGED, Proof, read_proof
from verifier.deadline import Deadline
from verifier.methods import Task, method_named, run
from verifier.proofs.draft import GivenUp
from verifier.proofs.write import proof_of

LIMIT = 300.0
CHANGES = 100
"""Changed proofs of each claim."""
LONG = 60.0
"""Seconds after which a claim is left: rational numbers may take long."""
SECONDS = 2.0
"""For the verdict, and for the proof."""
COST = 15_000
"""Values of all nodes times leaves, and times values of sharpened nodes, up to which rational numbers are asked."""
SPECS = Path(__file__).parents[2] / "vnnlib_specs"
FUNCTIONS = (
    "Relu", "Relu", "Relu", "LeakyRelu", "Abs", "Sigmoid", "Tanh", "Exp", "Sin", "Cos", "Mul", "Softmax", "Floor",
    "Round", "Sign", "Ceil", "Greater", "LessOrEqual", "Equal", "Where", "Xor", "ArgMax", "QuantizeLinear",
)  # fmt: skip


def work(case: Case) -> None:
    network, prop = claim(case)
    try:
        asked, graph = read_property(prop), read_model(network)
        contents = written(network, prop)
    except GivenUp as why:
        case.count(f"no proof: {' '.join(str(why).split())[:40]}")
        return
    (case.folder / "proof.npz").write_bytes(contents)
    good = read_proof(case.folder / "proof.npz")
    values = sum(node.size for node in graph.nodes)
    exactly = values * (len(good["leaf_node"]) + values * int(good["tree_sharpened"].sum())) <= COST
    for exact in (False, True)[: 1 + exactly]:
        if why := said(graph, asked, good, exact):
            case.blame("REJECTED", f"{network} {prop}, in rational numbers: {exact}: {why}")
            return
    if not exactly:  # nobody could say whether a changed proof is still one
        case.count("claims too large for rational numbers")
        return
    false = violated(graph, asked, case.rng)
    case.count("claims")
    started = time.monotonic()
    for _ in range(CHANGES):
        if time.monotonic() - started > LONG:
            case.count("claims that took too long")
            break
        changed = good
        for _ in range(int(case.rng.integers(1, 4))):
            changed = mutated(changed, case.rng)
        told = said(graph, asked, changed, False)
        case.count("changed: rejected" if told else "changed: still a proof")
        if not told and (why := said(graph, asked, changed, True)):
            case.blame("WRONG", f"{network} {prop}: accepted in doubles, in rational numbers: {why}")
        if false is not None and not said(graph, false, changed, False):
            case.blame("WRONG proof of what is false", f"{network} {prop}")
    if false is not None:
        case.count("false claims")
        if not said(graph, false, good, False):
            case.blame("WRONG proof of what is false", f"{network} {prop}, unchanged")


def written(network: Path, prop: Path) -> bytes:
    """A proof, along the cuts of `auto`.

    Raises:
        GivenUp: there is none.
    """
    read = load_network(network)
    task = Task(read, load_property(prop, read), Options(timeout=SECONDS))
    if not run(task, method_named("auto")).proved:
        raise GivenUp("auto does not prove it")
    return proof_of(network, prop, Deadline(SECONDS), task.trails)


def said(graph: Graph, asked: Claim, proof: Proof, exact: bool) -> str:
    """What is wrong with a proof, nothing if it is accepted."""
    try:
        Check(graph, asked, proof, exact).run()
    except Weak as weak:
        return str(weak) or "rejected"
    return ""


# Claims.


def claim(case: Case) -> tuple[Path, Path]:
    """A network's file and a property's."""
    draw = case.rng.random()
    if draw < 0.1:
        return chosen([line.split(",")[:2] for line in (SPECS / "instances.csv").read_text().split()], SPECS, case)
    root = os.environ.get("VERIFIER_VNNCOMP")
    if draw < 0.4 and root:
        lines = [json.loads(line) for line in (Path(root) / "index.jsonl").read_text().splitlines()]
        small = ("acasxu_2023", "rl_benchmarks", "safenlp", "collins_rul_cnn_2023", "tllverifybench_2023")
        real = [[line["onnx"], line["vnnlib"]] for line in lines if line["bench"] in small and line["truth"] == "unsat"]
        return chosen(real, Path(root), case)
    return tiny(case)


def chosen(pairs: list[list[str]], folder: Path, case: Case) -> tuple[Path, Path]:
    network, prop = pairs[int(case.rng.integers(len(pairs)))]
    return folder / network, folder / prop


def tiny(case: Case) -> tuple[Path, Path]:
    """A random network and a threshold near the smallest value that points reach."""
    rng = case.rng
    network, prop = case.folder / "net.onnx", case.folder / "prop.vnnlib"
    inputs = int(rng.choice([1, 2, 3, 12, 20]))
    nodes, constants, width, current = [], [], inputs, "x"
    for layer in range(int(rng.integers(1, 4))):
        wider = int(rng.integers(2, 6))
        for name, array in (("w", rng.normal(size=(width, wider)) / np.sqrt(width)), ("b", rng.normal(size=wider))):
            constants.append(numpy_helper.from_array(array.astype(np.float32), f"{name}{layer}"))
        nodes.append(helper.make_node("MatMul", [current, f"w{layer}"], [f"m{layer}"]))
        nodes.append(helper.make_node("Add", [f"m{layer}", f"b{layer}"], [f"a{layer}"]))
        function = str(rng.choice(FUNCTIONS))
        nodes += function_nodes(function, str(layer))
        width, current = 1 if function == "ArgMax" else wider, f"f{layer}"
    constants.append(numpy_helper.from_array(rng.normal(size=(width, 1)).astype(np.float32), "out"))
    constants.append(numpy_helper.from_array(np.float32(rng.uniform(0.1, 0.7)), "scale"))
    constants.append(numpy_helper.from_array(np.uint8(rng.integers(0, 6)), "zero"))
    nodes.append(helper.make_node("MatMul", [current, "out"], ["y"]))
    ends = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", inputs), ("y", 1)))
    graph = helper.make_graph(nodes, "g", *([end] for end in ends), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, network)
    low = rng.normal(size=inputs).round(3)
    high = low + rng.uniform(0, 1.0 if inputs < 5 else 0.3, inputs).round(3)
    points = rng.uniform(low, high, (500, inputs))
    values = Bounder(read_model(network)).propagated(points, points).lower[-1][:, 0]
    threshold = values.min() - rng.choice([1e-3, 1e-2, 0.1, 1.0]) * (0.1 + values.std())
    box = [
        f"(assert (>= X_{k} {a:.3f}))(assert (<= X_{k} {b:.3f}))"
        for k, (a, b) in enumerate(zip(low, high, strict=True))
    ]
    declared = [f"(declare-const X_{k} Real)" for k in range(inputs)] + ["(declare-const Y_0 Real)"]
    prop.write_text("\n".join([*declared, *box, f"(assert (<= Y_0 {threshold:.6f}))"]) + "\n")
    return network, prop


def function_nodes(function: str, layer: str) -> list[onnx.NodeProto]:
    """A function of a, the sum of a product m and a bias, as nodes that end in f."""
    a, m, t, f = f"a{layer}", f"m{layer}", f"t{layer}", f"f{layer}"

    def node(name: str, operands: list[str], result: str, **attributes: int) -> onnx.NodeProto:
        return helper.make_node(name, operands, [result], **attributes)

    as_float = node("Cast", [t], f, to=TensorProto.FLOAT)
    if function in ("Greater", "LessOrEqual"):
        return [node(function, [a, m], t), as_float]
    if function == "Equal":
        return [node("Round", [a], f"rounded{layer}"), node("Floor", [m], f"floored{layer}"),
                node("Equal", [f"rounded{layer}", f"floored{layer}"], t), as_float]  # fmt: skip
    if function == "Where":
        return [node("Greater", [a, m], t), node("Where", [t, a, m], f)]
    if function == "Xor":
        return [node("Less", [a, m], f"less{layer}"), node("Cast", [a], f"nonzero{layer}", to=TensorProto.BOOL),
                node("Xor", [f"less{layer}", f"nonzero{layer}"], t), as_float]  # fmt: skip
    if function == "ArgMax":
        return [node("ArgMax", [a], t, axis=1), as_float]
    if function == "QuantizeLinear":
        return [node(function, [a, "scale", "zero"], t), node("DequantizeLinear", [t, "scale", "zero"], f)]
    return [node(function, [a, m] if function == "Mul" else [a], f)]


def violated(graph: Graph, asked: Claim, rng: np.random.Generator) -> Claim | None:
    """The claim with a disjunct's thresholds moved to where a point violates all of its rows by 1e-6."""
    disjuncts = asked.disjuncts
    d = int(rng.integers(len(disjuncts)))
    low, high = (np.array([float(v) for v in ends]) for ends in (disjuncts[d].lower, disjuncts[d].upper))
    point = rng.uniform(low, high)[None]
    if not ((point > low) | (low == high)).all():
        return None
    state = Bounder(graph).propagated(point, point)
    values = state.upper[graph.output][0]
    wide = np.maximum(values - state.lower[graph.output][0], 0.0)
    rows = []
    for row in disjuncts[d].rows:
        reached = sum((c * Fraction(float(values[j])) for j, c in row.coefficients), Fraction(0))
        unsure = sum((abs(c) * Fraction(float(wide[j])) for j, c in row.coefficients), Fraction(0))
        rows.append(replace(row, threshold=reached + unsure + Fraction(1, 10**6)))
    moved = replace(disjuncts[d], rows=tuple(rows))
    return replace(asked, disjuncts=[*disjuncts[:d], moved, *disjuncts[d + 1 :]])


# Changes.


def mutated(good: Proof, rng: np.random.Generator) -> Proof:
    """A proof with one change."""
    kind = rng.random()
    if kind < 0.15:
        return without_entry(good, rng)
    if kind < 0.2 and len(good.quantities) > 1:
        names = list(good.quantities)
        i, j = rng.choice(len(names), 2, replace=False)
        names[i], names[j] = names[j], names[i]
        return replace(good, quantities=names)
    names = [name for name, array in good.arrays.items() if array.size and name not in RAGGED]
    name = names[int(rng.integers(len(names)))]
    array = good[name].copy()
    at = int(rng.integers(array.size))
    if array.size > 1 and rng.random() < 0.2:
        other = int(rng.integers(array.size))
        array[at], array[other] = array[other], array[at]
    elif array.dtype.kind == "b":
        array[at] = not array[at]
    elif array.dtype.kind == "f":
        array[at] = rng.choice([-array[at], array[at] * 1.5, array[at] + 1e-3, 0.0, rng.normal(), rng.normal() * 1e6])
    else:
        array[at] = rng.integers(-1, max(2, int(array.max()) + 2))
    return replace(good, arrays={**good.arrays, name: array})


def without_entry(good: Proof, rng: np.random.Generator) -> Proof:
    """A leaf, a fact or a node of the tree less."""
    group = str(rng.choice(["leaf", "fact", "tree"]))
    first = {"leaf": "leaf_node", "fact": "fact_node", "tree": "tree_parent"}[group]
    if not len(good[first]):
        return good
    gone, arrays = int(rng.integers(len(good[first]))), dict(good.arrays)
    for name, array in good.arrays.items():
        parts = f"{name}_end"
        if name.startswith(f"{group}_") and parts in RAGGED:
            ends = good[parts]
            arrays[name] = np.delete(array, np.arange(ends[gone - 1] if gone else 0, ends[gone]))
            lengths = np.delete(np.diff(ends, prepend=0), gone)
            arrays[parts] = np.cumsum(lengths)
        elif name.startswith(f"{group}_") and name not in RAGGED:
            arrays[name] = np.delete(array, gone)
    return replace(good, arrays=arrays)


if __name__ == "__main__":
    sys.exit(min(1, fuzz("proofs", work, LIMIT, __doc__)))
