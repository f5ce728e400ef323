"""Reading files: what a property is, and that no file takes more than there is room for."""

from __future__ import annotations

import gzip
import io
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.checker.claims import claim, model_file, proof, property_file, read, said
from tests.readers.onnx_models import draw, operator
from verifier.checker.claim import End, Row, _alternatives, parsed, read_property
from verifier.checker.files import digest_of_model, digest_of_property
from verifier.checker.graph import Unreadable
from verifier.checker.main import check
from verifier.checker.model import read_model
from verifier.checker.proof import read_proof

DECLARED = "(declare-const X_0 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)"
BOX = "(assert (>= X_0 -1)) (assert (<= X_0 0.5))"


def written(text: str, folder: Path) -> Path:
    (folder / "prop.vnnlib").write_text(text)
    return folder / "prop.vnnlib"


def test_a_claim_counts_what_is_declared(tmp_path: Path) -> None:
    read = read_property(written(f"{DECLARED} {BOX} (assert (or (<= Y_0 1) (and (< Y_1 Y_0) (>= X_0 0))))", tmp_path))
    assert (read.inputs, read.outputs, len(read.disjuncts)) == (1, 2, 2)
    first, second = read.disjuncts
    assert (first.lower, first.upper) == ((Fraction(-1),), (Fraction(1, 2),))
    assert first.rows == (Row(((0, Fraction(1)),), Fraction(1), False),)
    assert second.lower == (0,)
    assert second.rows == (Row(((0, Fraction(-1)), (1, Fraction(1))), Fraction(0), True),)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("(<= (+ X_0 (* 2 X_0) 1) (- 4 X_0))", End(0, Fraction(3, 4), True)),
        ("(> (* X_0 -2) 1e-1)", End(0, Fraction(-1, 20), True)),
        ("(>= (- Y_1) (- Y_0 .5 Y_1))", Row(((0, Fraction(1)),), Fraction(1, 2), False)),
        ("(< 1 1)", False),
        ("(<= (- Y_0 Y_0) 0)", True),
    ],
)
def test_an_inequality_is_read_exactly(text: str, meant: object) -> None:
    assert _alternatives(parsed(text)[0]) == [[meant]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{DECLARED} {BOX} (assert (<= Y_2 0))", "Y_2 is not declared"),
        (f"{DECLARED} {BOX} (assert (<= X_1 0))", "X_1 is not declared"),
        (f"{DECLARED} {BOX} (assert (<= Y_01 0))", "Y_01"),
        (f"{DECLARED} {BOX} (assert (<= Z 0))", "'Z'"),
        (f"{DECLARED} (declare-const Y_3 Real) {BOX}", "gaps"),
        (f"{DECLARED} (declare-const Z Real) {BOX}", "gaps"),
        ("(declare-const X_0 Real) (assert (<= X_0 0))", "gaps"),
        (f"{DECLARED} {BOX} (assert (<= (* Y_1 Y_0) 0))", r"'\*'"),
        (f"{DECLARED} {BOX} (assert (or))", "'or'"),
        (f"{DECLARED} {BOX} (assert (= Y_0 0))", "'='"),
        (f"{DECLARED} {BOX} (assert (<= Y_0 0)", "not closed"),
        (f"{DECLARED} (assert (<= X_0 0))", "no bound"),
        ("(" * 100_000 + ")" * 100_000, "prop.vnnlib"),
    ],
)
def test_what_is_no_property_is_told(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=said):
        read_property(written(text, tmp_path))


@pytest.mark.parametrize("name", ["X_2", "Y_2"])
def test_inputs_and_outputs_are_as_many_as_the_models(name: str, tmp_path: Path) -> None:
    """A declared output without any row would otherwise pass."""
    text = f"(declare-const {name} Real)\n" + property_file("moons", "upper").read_text()
    more = written(text + ("(assert (>= X_2 0)) (assert (<= X_2 0))" if name == "X_2" else ""), tmp_path)
    changed = (claim("moons", "upper")[0], read_property(more))
    assert "the property has" in said(changed, read(proof("moons", "upper"), tmp_path))


def test_no_file_is_unzipped_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.checker.claim.PROPERTY", 1000)
    monkeypatch.setattr("verifier.checker.model.MODEL", 1000)
    monkeypatch.setattr("verifier.checker.files.MODEL", 1000)
    monkeypatch.setattr("verifier.checker.files.PROPERTY", 1000)
    (tmp_path / "long.vnnlib.gz").write_bytes(gzip.compress(b" " * 1001))
    (tmp_path / "long.onnx.gz").write_bytes(gzip.compress(b" " * 1001))
    for reading in (read_property, digest_of_property):
        with pytest.raises(Unreadable, match="more than 1000 bytes"):
            reading(tmp_path / "long.vnnlib.gz")
    for reading in (read_model, digest_of_model):
        with pytest.raises(Unreadable, match="more than 1000 bytes"):
            reading(tmp_path / "long.onnx.gz")


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08" * 50])
def test_what_is_no_model_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    (tmp_path / "proof.npz").write_bytes(proof("moons", "upper"))
    said, _ = check(tmp_path / "net.onnx", property_file("moons", "upper"), tmp_path / "proof.npz")
    assert said in ("rejected", "error")
    with pytest.raises(Unreadable):
        read_model(tmp_path / "net.onnx")


def test_what_is_no_gzip_is_told(tmp_path: Path) -> None:
    (tmp_path / "cut.vnnlib.gz").write_bytes(gzip.compress(b"(assert (<= X_0 0))" * 99)[:-30])
    with pytest.raises(Unreadable, match=r"cut\.vnnlib"):
        read_property(tmp_path / "cut.vnnlib.gz")


def apart(folder: Path, location: str = "weights") -> Path:
    """A model whose weights are in another file of its folder."""
    model = operator("Gemm", (1, 2), draw(2, 3))
    onnx.save(model, folder / "net.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def test_tensors_in_other_files_belong_to_the_model(tmp_path: Path) -> None:
    path = apart(tmp_path)
    before, graph = digest_of_model(path), read_model(path)
    assert np.array_equal(graph.nodes[-1].maps[0].weight, draw(2, 3).T)
    (tmp_path / "net.onnx.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert digest_of_model(tmp_path / "net.onnx.gz") == before
    data = bytearray((tmp_path / "weights").read_bytes())
    (tmp_path / "weights").write_bytes(bytes([data[0] ^ 1, *data[1:]]))
    assert digest_of_model(path) != before
    (tmp_path / "weights").write_bytes(b"")
    with pytest.raises(Unreadable, match=r"net\.onnx"):
        read_model(path)


@pytest.mark.parametrize("location", ["../weights", "/etc/hostname", "inner/../../weights"])
def test_tensors_outside_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = apart(tmp_path, location)
    for reading in (digest_of_model, read_model):
        with pytest.raises(Unreadable, match=r"net\.onnx"):
            reading(path)


def repacked(contents: bytes, folder: Path, name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A proof with another member in the place of one."""
    with zipfile.ZipFile(io.BytesIO(contents)) as old, zipfile.ZipFile(folder / "proof.npz", "w", method) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, data if entry.filename == name else old.read(entry))
    return folder / "proof.npz"


def heading(shape: str, dtype: str = "<f8") -> bytes:
    """The beginning of a .npy file, with nothing behind it."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_a_proof_is_no_larger_than_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = proof("moons", "upper")
    for data in (heading("(1000000000000,)"), heading("(-1,)"), heading("(1,)", "|O") + b"\x00" * 8, b"", b"\x93NUMPY"):
        with pytest.raises(Unreadable, match=r"no proof|tree_cut has"):
            read_proof(repacked(good, tmp_path, "tree_cut.npy", data))
    with pytest.raises(Unreadable, match="compressed"):
        read_proof(repacked(good, tmp_path, "tree_cut.npy", heading("(0,)"), zipfile.ZIP_LZMA))
    monkeypatch.setattr("verifier.checker.proof.PROOF", 50_000)
    path = repacked(good, tmp_path, "tree_cut.npy", heading("(10000,)") + bytes(80_000))
    assert path.stat().st_size < 20_000
    assert check(model_file("moons"), property_file("moons", "upper"), path) == (
        "error",
        f"{path}: no proof (ValueError: more than 50000 bytes)",
    )


def test_no_more_is_unzipped_than_the_directory_says(tmp_path: Path) -> None:
    path = repacked(proof("moons", "upper"), tmp_path, "tree_cut.npy", heading("(10000,)") + bytes(80_000))
    with zipfile.ZipFile(path) as archive:
        told = archive.getinfo("tree_cut.npy").file_size.to_bytes(4, "little")
    data = path.read_bytes()
    path.write_bytes(data.replace(told, (90).to_bytes(4, "little")))
    with pytest.raises(Unreadable, match="no proof"):
        read_proof(path)


def test_damaged_proofs_are_told(tmp_path: Path) -> None:
    """Whatever byte is another one: a proof, or one line."""
    good, rng = proof("moons", "upper"), np.random.default_rng(5)
    for _ in range(300):
        data = bytearray(good)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        (tmp_path / "proof.npz").write_bytes(bytes(data))
        verdict, why = check(model_file("moons"), property_file("moons", "upper"), tmp_path / "proof.npz")
        assert verdict in ("accepted", "rejected", "error")
        assert (why == "") == (verdict == "accepted")
