"""Functions that jump: the checker's lines, what cuts of their values say, and proofs of networks that have them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.readers.onnx_models import draw, i64, model_of
from verifier import Options, load_network, load_property
from verifier.checker.bounds import Bounder
from verifier.checker.graph import Function, Graph, Input, Linear
from verifier.checker.lines import exactly, interval, step_lines
from verifier.checker.main import check
from verifier.checker.steps import STEPS
from verifier.deadline import Deadline
from verifier.methods import Task, method_named, run
from verifier.proofs.write import proof_of

PLACES = st.floats(-6, 6) | st.sampled_from([k / 2 for k in range(-12, 13)])
FLOAT = onnx.TensorProto.FLOAT


@given(
    st.sampled_from(sorted(STEPS)),
    PLACES,
    PLACES,
    st.floats(0, 20),
    st.integers(0, 3),
    st.floats(0, 0.9),
    st.booleans(),
)
def test_lines_hold_the_graph(
    kind: str, one: float, other: float, slope: float, fewer: int, part: float, exact: bool
) -> None:
    """Also where the values are known better than from the operand's interval, by ends that are no whole numbers."""
    low, high = (np.array([[end]]) for end in sorted((one, other)))
    x = np.unique(np.concatenate([np.linspace(low, high, 41).ravel(), np.arange(-12, 13) / 2]))
    x = x[(x >= low[0, 0]) & (x <= high[0, 0])]
    least, greatest = (end[0, 0] for end in interval(kind, low, high, 2.0**-53))
    least, greatest = min(least + fewer, greatest) - part, greatest + 0.9 * part
    x = x[STEPS[kind](x) >= least]
    ends = [low, high, np.array([[least]]), np.array([[greatest]]), np.array([[slope]])]
    if exact:
        ends = [exactly(end) for end in ends]
    lines = step_lines(kind, (ends[0], ends[1]), (ends[2], ends[3]), (ends[4],), 0 if exact else 2.0**-53)
    for point in x.tolist():
        value = Fraction(float(STEPS[kind](np.array(point))))
        for slopes, intercept, side in ((lines.below, lines.low, 1), (lines.above, lines.high, -1)):
            line = Fraction(slopes[0][0, 0]) * Fraction(point) + Fraction(intercept[0, 0])
            assert side * (value - line) >= 0


@pytest.mark.parametrize("kind", sorted(STEPS))
@pytest.mark.parametrize("exact", [False, True])
def test_both_halves_of_a_cut_value_hold_all_points(kind: str, exact: bool) -> None:
    graph = Graph([Input(1), Linear((), (), np.zeros(1)), Function((0,), kind, 1, "f")], output=2)
    bounder = Bounder(graph, exact)
    ends = [np.array([[end]]) for end in (-3.0, 3.0)]
    state = bounder.propagated(*(exactly(end) if exact else end for end in ends))
    for cut in (-4.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 1e40):
        below, above = (bounder.narrowed(state, 2, 0, cut, side) for side in (False, True))
        for x in np.arange(-12, 13) / 4:
            value = float(STEPS[kind](np.array(x)))
            for half, here in ((below, value <= cut), (above, value >= cut)):
                inside = all(half.lower[k] <= v <= half.upper[k] for k, v in ((0, x), (2, value)))
                assert inside or not here
        if cut == 0.5:
            assert (below.upper[2], above.lower[2]) == (0, 1)
            assert below.upper[0] == above.lower[0] == {"floor": 1, "round": Fraction(1, 2)}.get(kind, 0)


def between(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """A network of two inputs, four entries h of what is in between, and s of them."""
    ends = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("Cast", ["s"], ["f"], to=FLOAT),
        helper.make_node("MatMul", ["f", "v"], ["y"]),
    ]
    given = {"w": 1.5 * draw(2, 4, seed=3), "b": draw(4, seed=4), "v": draw(4, 1, seed=5), "z": draw(4, seed=6)}
    return model_of([ends[0], *nodes, *ends[1:]], {"x": (1, 2)}, ["y"], given | constants, opset=21)


def node(op: str, *names: str, **attributes: int) -> onnx.NodeProto:
    return helper.make_node(op, names[:-1], names[-1:], **attributes)


NETWORKS = {
    "Floor": between(node("Floor", "h", "s")),
    "Round": between(node("Round", "h", "s")),
    "Sign and Relu": between(node("Sign", "h", "g"), node("Relu", "h", "r"), node("Add", "g", "r", "s")),
    "Where": between(node("Greater", "h", "z", "p"), node("Where", "p", "h", "z", "s")),
    "logic": between(node("LessOrEqual", "h", "z", "p"), node("Greater", "h", "b", "q"), node("Xor", "p", "q", "s")),
    "ArgMax": between(
        node("Reshape", "h", "four", "r"), node("ArgMax", "r", "a", axis=0), node("Equal", "a", "whole", "s"),
        four=i64(4, 1), whole=i64(0, 1, 2, 3)[None],
    ),
    "quantised": between(
        node("QuantizeLinear", "h", "scale", "zero", "q"), node("DequantizeLinear", "q", "scale", "zero", "s"),
        scale=np.float32(0.4), zero=np.uint8(2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_jump_have_proofs(name: str, tmp_path: Path) -> None:
    """Of a bound right below the least value that a grid of inputs shows."""
    model, prop, proof = (tmp_path / file for file in ("net.onnx", "prop.vnnlib", "proof.npz"))
    onnx.save(NETWORKS[name], model)
    network = load_network(model)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 201)] * 2), -1).reshape(-1, 2)
    values = network.forward(grid)[:, 0]
    declared = [f"(declare-const X_{k} Real)(assert (>= X_{k} -1))(assert (<= X_{k} 1))" for k in range(2)]
    threshold = values.min() - 0.3 * values.std()
    prop.write_text(f"{' '.join(declared)}(declare-const Y_0 Real)(assert (<= Y_0 {threshold:.6f}))")
    task = Task(network, load_property(prop, network), Options(timeout=30))
    assert run(task, method_named("auto")).proved
    proof.write_bytes(proof_of(model, prop, Deadline(30)))
    assert check(model, prop, proof, False) == ("accepted", "")
    if len(np.load(proof)["leaf_node"]) < 40:
        assert check(model, prop, proof, True) == ("accepted", "")
    prop.write_text(prop.read_text().replace(f"{threshold:.6f}", f"{values.min() + 1e-3:.6f}"))
    assert check(model, prop, proof, False)[0] == "rejected"
