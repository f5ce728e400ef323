"""Files made to fool the checker: none is accepted, and whatever they are, the answer is one line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier.checker.files import digest_of_model, digest_of_property
from verifier.checker.main import check
from verifier.checker.proof import ARRAYS, TYPES, VERSION, Proof, write_proof

NODE = {"tree_parent": [-1], "tree_quantity": [0], "tree_entry": [0], "tree_cut": [0.0], "tree_above": [False]}
LEAF = {
    "root_disjunct": [0],
    "leaf_node": [0],
    "leaf_disjunct": [0],
    "leaf_weights": [1.0],
    "leaf_weights_end": [1],
    "leaf_choice": [-1],
    "leaf_pressures_end": [0],
}
ONE = {**NODE, **LEAF, "tree_sharpened": [False]}
"""A root and a leaf."""


def model(folder: Path, nodes: list[onnx.NodeProto], inputs: int, **constants: np.ndarray) -> Path:
    """A model of x with one output y."""
    ends = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [n]) for name, n in (("x", inputs), ("y", 1)))
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", *([end] for end in ends), tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "n.onnx")
    return folder / "n.onnx"


def relu(folder: Path) -> Path:
    return model(folder, [helper.make_node("Relu", ["x"], ["y"])], 1)


def claim(folder: Path, bounds: list[tuple[str, str]], rest: str) -> Path:
    lines = [f"(declare-const X_{k} Real)" for k in range(len(bounds))] + ["(declare-const Y_0 Real)"]
    lines += [f"(assert (>= X_{k} {low}))(assert (<= X_{k} {high}))" for k, (low, high) in enumerate(bounds)]
    (folder / "p.vnnlib").write_text("\n".join([*lines, rest]) + "\n", encoding="utf-8", newline="")
    return folder / "p.vnnlib"


def said(files: tuple[Path, Path], exact: bool = False, quantities: tuple[str, ...] = ("",), **arrays: list) -> str:
    """The first word about a proof with these arrays."""
    full = {name: np.array(arrays.get(name, []), TYPES[kind]) for name, (kind, _) in ARRAYS.items()}
    digests = digest_of_model(files[0]), digest_of_property(files[1])
    path = files[0].with_name("proof.npz")
    path.write_bytes(write_proof(Proof(*digests, list(quantities), full)))
    word, why = check(*files, path, exact)
    assert "\n" not in why
    return word


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_unbounded_stays_so(exact: bool, tmp_path: Path) -> None:
    """Y = relu(x0 exp(g)) = relu(x0), where bounds of g are too wide for exp: facts do not hide that."""
    nodes = [
        helper.make_node("Gather", ["x", "first"], ["a"]),
        helper.make_node("Gather", ["x", "second"], ["z"]),
        helper.make_node("Relu", ["z"], ["r1"]),
        helper.make_node("Relu", ["z"], ["r2"]),
        helper.make_node("Mul", ["r1", "large"], ["s1"]),
        helper.make_node("Mul", ["r2", "large"], ["s2"]),
        helper.make_node("Sub", ["s1", "s2"], ["g"]),
        helper.make_node("Exp", ["g"], ["e"]),
        helper.make_node("Mul", ["a", "e"], ["p"]),
        helper.make_node("Relu", ["p"], ["y"]),
    ]
    constants = {"first": np.array([0]), "second": np.array([1]), "large": np.array([400.0], np.float32)}
    files = model(tmp_path, nodes, 2, **constants), claim(tmp_path, [("-1", "1"), ("0", "1")], "(assert (>= Y_0 0.5))")
    facts = {
        "fact_node": [0, 0],
        "fact_quantity": [0, 0],
        "fact_entry": [0, 0],
        "fact_above": [True, False],
        "fact_choice": [-1, -1],
        "fact_pressures_end": [0, 0],
    }
    assert said(files, exact, ("y.operand",), **{**ONE, **facts, "tree_sharpened": [True]}) == "rejected"


def test_no_witness_hides_in_what_is_unbounded(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["x", "first"], ["a"]),
        helper.make_node("Gather", ["x", "second"], ["z"]),
        helper.make_node("Exp", ["z"], ["e"]),
        helper.make_node("Mul", ["a", "e"], ["p"]),
        helper.make_node("Relu", ["p"], ["y"]),
    ]
    network = model(tmp_path, nodes, 2, first=np.array([0]), second=np.array([1]))
    prop = claim(tmp_path, [("1", "1"), ("400", "400")], "(assert (<= Y_0 0.5))")
    header = {"version": VERSION, "verdict": "sat", "model": digest_of_model(network)}
    packed = json.dumps(header | {"property": digest_of_property(prop)}).encode()
    buffer = io.BytesIO()
    arrays = {"input": np.array([1.0, 400.0]), "output": np.array([0.0])}
    np.savez(buffer, allow_pickle=False, header=np.frombuffer(packed, np.uint8), **arrays)
    (tmp_path / "w.npz").write_bytes(buffer.getvalue())
    for exact in (False, True):
        assert check(network, prop, tmp_path / "w.npz", exact)[0] != "accepted"


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85"])
def test_a_comment_ends_with_its_line(end: str, tmp_path: Path) -> None:
    """What follows one of the separators that only Python takes for the end of a line is still comment."""
    text = f"(assert (>= Y_0 0.5)) ; the case {end}(assert (<= X_0 -0.5))"
    assert said((relu(tmp_path), claim(tmp_path, [("-1", "1")], text)), **ONE) == "rejected"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"leaf_choice": [-9], "choice_slopes": [0.0], "choice_slopes_end": [1]}, "rejected"),
        ({"leaf_weights": [1.7e308]}, "rejected"),
        ({"choice_slopes_end": [2**63 - 1, -(2**63), -3, -2, 0, 0]}, "error"),
        ({"leaf_weights_end": [-1]}, "error"),
    ],
)
def test_odd_numbers_are_told_in_a_line(changes: dict[str, list], expected: str, tmp_path: Path) -> None:
    files = relu(tmp_path), claim(tmp_path, [("-1", "1")], "(assert (>= Y_0 20))")
    assert said(files, **ONE) == "accepted"
    assert said(files, **{**ONE, **changes}) == expected


def test_a_chain_of_cuts_has_an_end(tmp_path: Path) -> None:
    files, depth = (relu(tmp_path), claim(tmp_path, [("-1", "1")], "(assert (>= Y_0 20))")), 1500
    parents = [-1, *(k for level in range(depth) for k in (2 * level, 2 * level))]
    count = len(parents)
    leaves = [k for k in range(count) if k % 2 or k == count - 1]
    tree = {
        "tree_parent": parents,
        "tree_quantity": [0] * count,
        "tree_entry": [0] * count,
        "tree_cut": [0.0] * count,
        "tree_above": [k % 2 == 0 for k in range(count)],
        "tree_sharpened": [False] * count,
        "root_disjunct": [0],
        "leaf_node": leaves,
        "leaf_disjunct": [0] * len(leaves),
        "leaf_weights": [1.0] * len(leaves),
        "leaf_weights_end": list(range(1, len(leaves) + 1)),
        "leaf_choice": [-1] * len(leaves),
        "leaf_pressures_end": [0] * len(leaves),
    }
    assert said(files, **tree) == "rejected"


def test_many_alternatives_are_refused_before_they_are_made(tmp_path: Path) -> None:
    both = "(and " + "(or (>= Y_0 20) (>= Y_0 21))" * 17 + ")"
    files = relu(tmp_path), claim(tmp_path, [("-1", "1")], f"(assert (or {both * 60}))")
    assert said(files, **ONE) == "error"


def test_what_a_caller_raises_while_it_watches_is_not_the_file_s_fault(tmp_path: Path) -> None:
    """So it is told that a check has run out of time."""

    class TooLong(Exception):
        pass

    def look(leaves: int) -> None:
        raise TooLong

    files = relu(tmp_path), claim(tmp_path, [("-1", "1")], "(assert (>= Y_0 20))")
    assert said(files, **ONE) == "accepted"
    with pytest.raises(TooLong):
        check(*files, tmp_path / "proof.npz", progress=look)
