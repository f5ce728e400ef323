"""Lists of instances: VNN-COMP's, with and without .gz, with known verdicts, and what is wrong with a list."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier.batch.contents import network_hash
from verifier.batch.instances import read_instances
from verifier.batch.models import named_models
from verifier.batch.plan import DEFAULT_TIMEOUT, Settings, fingerprint, planned
from verifier.errors import UsageError

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"


def make(folder: Path, lines: str, *files: str) -> Path:
    """A benchmark folder with empty files and a list."""
    folder.mkdir(parents=True)
    (folder / "instances.csv").write_text(lines)
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(b"")
    return folder


def test_our_own_list() -> None:
    instances = read_instances(SPECS)
    assert len(instances) == 12
    assert instances[0].name == "vnnlib_specs/digits_dense/digits_dense_robust"
    assert {i.timeout for i in instances} == {60.0}
    assert read_instances(SPECS / "instances.csv") == instances


def test_named_columns_and_known_verdicts() -> None:
    instances = read_instances(SPECS / "truth.csv")
    assert [i.truth for i in instances].count("sat") == 3
    assert [i.truth for i in instances].count("unsat") == 9
    assert {i.timeout for i in instances} == {None}


def test_a_folder_of_folders(tmp_path: Path) -> None:
    make(tmp_path / "all" / "b", "onnx/n.onnx,vnnlib/p.vnnlib,10\n", "onnx/n.onnx.gz", "vnnlib/p.vnnlib.gz")
    make(tmp_path / "all" / "a" / "2.0", "n.onnx.gz, p.vnnlib.gz, 20, sat\n", "n.onnx", "p.vnnlib")
    found = read_instances(tmp_path / "all")
    assert [(i.name, i.timeout, i.truth) for i in found] == [("2.0/n/p", 20.0, "sat"), ("b/n/p", 10.0, "")]
    assert found[0].network.name == "n.onnx"
    assert found[1].network.name == "n.onnx.gz"


def test_json_lines(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", "", "n.onnx", "p.vnnlib")
    record = {"bench": "set", "onnx": "n.onnx", "vnnlib": "p.vnnlib", "timeout": 5, "truth": "unknown"}
    (folder / "index.jsonl").write_text(json.dumps(record) + "\n\n" + json.dumps(record | {"timeout": 9}) + "\n")
    (instance,) = read_instances(folder / "index.jsonl")  # the same files twice are one instance, with the longer time
    assert (instance.name, instance.timeout, instance.truth) == ("set/n/p", 9.0, "")


def test_only_matches_names(tmp_path: Path) -> None:
    assert len(read_instances(SPECS, "*/moons/*")) == 4
    assert len(read_instances(SPECS, "vnnlib_specs/digits_*/*_close")) == 2
    with pytest.raises(UsageError, match="none of the 12 instances matches 'x'"):
        read_instances(SPECS, "x")
    folder = make(tmp_path / "x", "n.onnx,p.vnnlib,5\nmissing.onnx,p.vnnlib,5\n", "n.onnx", "p.vnnlib")
    assert len(read_instances(folder, "x/n/*")) == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", "there are no instances in it"),
        ("a.onnx,p.vnnlib,5\n", r"line 1: .*a.onnx does not exist"),
        ("n.onnx\n", "line 1: no property"),
        ("onnx,vnnlib,timeout\nn.onnx,p.vnnlib,5,sat\n", "line 2: 4 cells, but only 3 columns"),
        ("n.onnx,p.vnnlib,5,sat\nn.onnx,p.vnnlib,5,unsat\n", "line 2: x/n/p again, with another known verdict"),
        ("n.onnx,p.vnnlib,5\nn.onnx,p.vnnlib,soon\n", "line 2: a timeout of 'soon'"),
        ("n.onnx,p.vnnlib,-1\n", "line 1: a timeout of '-1'"),
        ("n.onnx,p.vnnlib,nan\n", "line 1: a timeout of 'nan'"),
        ("n.onnx,p.vnnlib,5,maybe\n", "line 1: a known verdict of 'maybe'"),
        ('"n.onnx,p.vnnlib,5\n', "line 1: not CSV"),
        ("onnx,vnnlib,remark\nn.onnx,p.vnnlib,UNSAT (proved)\n", "line 2: the column 'remark' says 'UNSAT"),
        ("onnx,vnnlib,answer\nn.onnx,p.vnnlib,1\n", "line 1: the column 'answer' may be a known verdict"),
        ("onnx,vnnlib,timeout_s\nn.onnx,p.vnnlib,1\n", "line 1: the column 'timeout_s' may be"),
        ("onnx,vnnlib,note,note\nn.onnx,p.vnnlib,unsat,x\n", "line 1: two columns say what the note is"),
        ("onnx,model,vnnlib\nn.onnx,n.onnx,p.vnnlib\n", "line 1: two columns say what the network is"),
        (f"{'n' * 300}.onnx,p.vnnlib,5\n", "line 1: .* cannot be a file"),
    ],
)
def test_faults_of_a_list(tmp_path: Path, lines: str, told: str) -> None:
    folder = make(tmp_path / "x", lines, "n.onnx", "p.vnnlib")
    with pytest.raises(UsageError, match=told):
        read_instances(folder)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a record"),
        ('{"onnx": 3}', "no network"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "bench": "\\ud800"}', "is no UTF-8"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "timeout": 1' + "0" * 400 + "}", "a timeout of"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "truth": false}', "a known verdict of False"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "truth": []}', "a known verdict of"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "truth": "sat", "truth": ""}', "two columns say what the truth is"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "is_sat": false}', "the column 'is_sat' may be"),
        ('{"onnx": "n.onnx", "vnnlib": "p.vnnlib", "note": {"x": "unsat"}}', "the column 'note' says"),
        ('{"onnx": "n.onnx", "ONNX": "m.onnx", "vnnlib": "p.vnnlib"}', "two columns say what the network is"),
    ],
)
def test_faults_of_json_lines(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "index.jsonl").write_text("\n" + line + "\n")
    with pytest.raises(UsageError, match=f"line 2: .*{told}"):
        read_instances(tmp_path / "index.jsonl")


def test_names_of_columns_are_read_in_any_case(tmp_path: Path) -> None:
    lines = "Property Note, ONNX_Path ,VNNLIB,Expected\n ,,, \nodd\u2028name,n.onnx,p.vnnlib,UNSAT\n"
    folder = make(tmp_path / "x", lines, "n.onnx", "p.vnnlib")
    assert [(i.name, i.truth) for i in read_instances(folder)] == [("x/n/p", "unsat")]
    (folder / "index.jsonl").write_text('{"Onnx": "n.onnx", "VNNLIB": "p.vnnlib", "Truth": "sat"}\n')
    assert [i.truth for i in read_instances(folder / "index.jsonl")] == ["sat"]


def test_folders_behind_links_and_below_a_list_are_found(tmp_path: Path) -> None:
    for folder in (tmp_path / "all", tmp_path / "all" / "below", tmp_path / "elsewhere"):
        make(folder, "n.onnx,p.vnnlib,5\n", "n.onnx", "p.vnnlib")
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all" / "below" / "up").symlink_to(tmp_path / "all")
    found = read_instances(tmp_path / "all")
    assert [i.benchmark for i in found] == ["below", "all", "linked"]
    assert found[2].network == tmp_path / "all" / "linked" / "n.onnx"


def test_folders_of_one_name_are_benchmarks_of_their_own(tmp_path: Path) -> None:
    for year in ("2023", "2024"):
        make(tmp_path / year / "acasxu", "n.onnx,p.vnnlib,5\n", "n.onnx", "p.vnnlib")
    make(tmp_path / "2024" / "other", "n.onnx,p.vnnlib,5\n", "n.onnx", "p.vnnlib")
    assert [i.benchmark for i in read_instances(tmp_path)] == ["2023/acasxu", "2024/acasxu", "other"]


def test_what_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_instances(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"has no instances\.csv in it"):
        read_instances(tmp_path)
    (tmp_path / "instances.csv").write_bytes(gzip.compress(b"n.onnx,p.vnnlib,5"))
    with pytest.raises(UsageError, match="cannot be read"):
        read_instances(tmp_path)


def test_the_plan_of_a_run(tmp_path: Path) -> None:
    instances = read_instances(SPECS)
    settings = Settings(("crown", "lp", "crown"), timeout=7.0)
    items = planned(instances, settings)
    assert [i.method for i in items[:3]] == ["crown", "lp", "crown"]
    assert len(items) == 24  # a method that is named twice is asked once
    assert {i.timeout for i in items} == {7.0}
    assert {i.timeout for i in planned(instances, Settings())} == {60.0}
    assert {i.timeout for i in planned(read_instances(SPECS / "truth.csv"), Settings())} == {DEFAULT_TIMEOUT}


def test_a_known_verdict_holds_for_the_same_contents_under_any_name(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", "n.onnx,p.vnnlib,5,sat\nother.onnx.gz,q.vnnlib,5\nn.onnx,r.vnnlib,5\n")
    for name, content in (("n.onnx", b"net"), ("p.vnnlib", b"prop"), ("q.vnnlib", b"prop"), ("r.vnnlib", b"else")):
        (folder / name).write_bytes(content)
    (folder / "other.onnx.gz").write_bytes(gzip.compress(b"net"))
    assert [i.instance.truth for i in planned(read_instances(folder), Settings())] == ["sat", "sat", ""]
    (folder / "instances.csv").write_text("n.onnx,p.vnnlib,5,sat\nother.onnx.gz,q.vnnlib,5,unsat\n")
    with pytest.raises(UsageError, match=r"x/other/q: the same contents as x/n/p, known to be sat, not unsat"):
        planned(read_instances(folder), Settings())


def test_tensors_in_other_files_are_part_of_a_network(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weights])
    path = tmp_path / "n.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="n.weights", size_threshold=0)
    before = network_hash(path)
    assert network_hash(path) == before
    stored = bytearray((tmp_path / "n.weights").read_bytes())
    stored[0] ^= 1
    (tmp_path / "n.weights").write_bytes(stored)
    assert network_hash(path) != before
    (tmp_path / "n.weights").unlink()
    assert network_hash(path) != before  # and the reader says what is missing


def test_the_order_is_drawn_by_the_seed() -> None:
    instances = read_instances(SPECS)

    def order(seed: int) -> list[str]:
        return [i.instance.name for i in planned(instances, Settings(shuffle=True, seed=seed))]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted(i.name for i in instances)


def test_a_fingerprint_tells_what_is_asked_not_in_which_order(tmp_path: Path) -> None:
    instances = read_instances(SPECS)

    def of(settings: Settings, chosen: list = instances) -> str:
        return fingerprint(planned(chosen, settings), settings)

    plain = of(Settings())
    assert of(Settings(shuffle=True)) == plain
    assert of(Settings(seed=1)) != plain
    assert of(Settings(timeout=9.0)) != plain
    assert of(Settings(memory=500.0)) != plain
    assert of(Settings(methods=("crown",))) != plain
    assert of(Settings(), instances[1:]) != plain
    folder = make(tmp_path / "x", "n.onnx,p.vnnlib,5\n", "n.onnx", "p.vnnlib")
    before = of(Settings(), read_instances(folder))
    (folder / "n.onnx").write_bytes(b"other")
    assert of(Settings(), read_instances(folder)) != before


def test_several_networks_are_a_list(tmp_path):  # type: ignore[no-untyped-def]
    for name in ("f.onnx", "g.onnx", "p.vnnlib"):
        (tmp_path / name).write_text("x")
    for text in (
        "[('f', 'f.onnx'), ('g', 'g.onnx')],p.vnnlib,60\n",
        "\"[('f','f.onnx'),('g','g.onnx')]\",p.vnnlib,60\n",
    ):
        (tmp_path / "instances.csv").write_text(text)
        (instance,) = read_instances(tmp_path / "instances.csv")
        assert named_models(instance.network) == (("f", tmp_path / "f.onnx"), ("g", tmp_path / "g.onnx"))
        assert (instance.timeout, instance.name) == (60.0, f"{tmp_path.name}/g/p")
        first = network_hash(instance.network)
    (tmp_path / "g.onnx").write_text("y")
    assert network_hash(instance.network) != first
    (tmp_path / "g.onnx").unlink()
    with pytest.raises(UsageError, match=r"g\.onnx does not exist"):
        read_instances(tmp_path / "instances.csv")
