"""Classifiers that tell a label beside their probabilities, as scikit-learn's converters make them, in the shell."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.cli.within import within
from verifier.cli.wording import told

ML = "ai.onnx.ml"
READ = "only output 'probabilities' is read: 'label' is a label"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The probabilities of three classes as a sequence of maps; the label comes first."""
    scores = {"coefficients": [1.0, 0.0, 0.0, 1.0, -1.0, -1.0], "intercepts": [0.0, 0.5, 0.0]}
    of_maps = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graph = helper.make_graph(
        [
            helper.make_node(
                "LinearClassifier",
                ["X"],
                ["label", "raw"],
                domain=ML,
                classlabels_ints=[0, 1, 2],
                post_transform="SOFTMAX",
                **scores,
            ),
            helper.make_node("Normalizer", ["raw"], ["normal"], domain=ML, norm="L1"),
            helper.make_node("ZipMap", ["normal"], ["probabilities"], domain=ML, classlabels_int64s=[0, 1, 2]),
        ],
        "classifier",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_value_info("probabilities", helper.make_sequence_type_proto(of_maps)),
        ],
    )
    path = tmp_path / "classifier.onnx"
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(ML, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def asked(folder: Path, outputs: int, assertion: str) -> Path:
    path = folder / f"p{outputs}.vnnlib"
    names = ["X_0", "X_1", *(f"Y_{k}" for k in range(outputs))]
    box = "".join(f"(assert (>= X_{i} 0))(assert (<= X_{i} 1))" for i in range(2))
    path.write_text("".join(f"(declare-const {name} Real)" for name in names) + f"{box}(assert {assertion})")
    return path


@pytest.mark.parametrize(("outputs", "first", "options"), [(3, 0, ("--output", "probabilities")), (4, 1, ())])
def test_a_property_of_probabilities_with_and_without_the_label(
    model: Path, tmp_path: Path, outputs: int, first: int, options: tuple[str, ...]
) -> None:
    """Of the classes at (0, 1) the second has e^1.5 / (1 + e^1.5 + e^-1) = 0.766."""
    result = tmp_path / "r.txt"
    for least, status in (("0.77", 0), ("0.76", 1)):
        prop = asked(tmp_path, outputs, f"(>= Y_{first + 1} {least})")
        done = within("verify", str(model), str(prop), "--result", str(result), *options)
        assert done.exit_code == status, done.output
        assert (READ in done.output) == (not options)
    lines = result.read_text().splitlines()
    assert [line.strip("()").split()[0] for line in lines[3:]] == [f"Y_{first + k}" for k in range(3)]
    values = [float(line.strip("()").split()[1]) for line in lines[3:]]
    assert sum(values) == pytest.approx(1, abs=1e-6)
    assert values[1] >= 0.76


def test_what_is_asked_about_the_label_is_an_error(model: Path, tmp_path: Path) -> None:
    data = tmp_path / "x.csv"
    data.write_text("0.0,1.0,1\n")
    for arguments, said in (
        (("verify", model, asked(tmp_path, 4, "(>= Y_0 1)")), "Y_0 is an entry of the label 'label'"),
        (("verify", model, asked(tmp_path, 3, "(>= Y_0 1)")), "or give --output probabilities"),
        (("info", model, "--output", "label"), "read --output probabilities alone"),
        (
            ("accuracy", model, "--data", data, "--epsilons", "0.1", "--model-output", "label"),
            "read --model-output probabilities alone",
        ),
    ):
        done = within(*arguments)
        assert done.exit_code == 2
        assert done.exception is not None
        assert said in told(done.exception)


def test_radii_and_accuracies_are_those_of_the_probabilities(model: Path, tmp_path: Path) -> None:
    data, record = tmp_path / "x.csv", tmp_path / "r.json"
    data.write_text("0.0,1.0,1\n")
    done = within("radius", str(model), "--data", str(data), "--methods", "fmn,crown", "--json", str(record))
    assert done.exit_code == 0, done.output
    assert READ in done.output
    assert "0.75" in done.output  # from x_0 = x_1 - 1 to x_0 = x_1 + 1/2
    assert json.loads(record.read_text())
    done = within("accuracy", str(model), "--data", str(data), "--epsilons", "0.1", "--methods", "crown")
    assert done.exit_code == 0, done.output
    assert READ in done.output
    assert READ in " ".join(within("info", str(model)).output.replace("│", " ").split())
