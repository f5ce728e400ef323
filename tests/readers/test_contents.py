"""Files of any size: nothing is read beyond a limit, and what is read is read as a stream."""

import gzip
import os
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier.batch.contents import network_hash, property_hash
from verifier.errors import ModelError, PropertyError
from verifier.readers.contents import DamagedError, TooLargeError, contents
from verifier.readers.onnx import files, load_network
from verifier.readers.vnnlib import load_property, source

MIB = 1 << 20


def _bomb(path: Path, mebibytes: int) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(mebibytes):
            file.write(bytes(MIB))
    return path


def test_contents_plain_and_gzipped(tmp_path: Path) -> None:
    data = os.urandom(3 * MIB + 17)
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "zipped").write_bytes(gzip.compress(data[:MIB]) + gzip.compress(data[MIB:]))
    for name in ("plain", "zipped"):
        assert contents(tmp_path / name, len(data)) == data
        with pytest.raises(TooLargeError):
            contents(tmp_path / name, len(data) - 1)
    (tmp_path / "cut").write_bytes((tmp_path / "zipped").read_bytes()[:-9])
    (tmp_path / "rest").write_bytes((tmp_path / "zipped").read_bytes() + b"more")
    for name in ("cut", "rest"):
        with pytest.raises(DamagedError):
            contents(tmp_path / name, len(data))


def test_a_zipped_file_is_read_up_to_a_stated_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_MODEL", 2 * MIB)
    monkeypatch.setattr(source, "LARGEST_PROPERTY", 2 * MIB)
    bomb = _bomb(tmp_path / "x.gz", 64)
    tracemalloc.start()
    with pytest.raises(ModelError, match="more than 2 MiB"):
        load_network(bomb)
    with pytest.raises(PropertyError, match="more than 2 MiB"):
        load_property(bomb)
    assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    tracemalloc.stop()


def test_hashing_keeps_no_contents(tmp_path: Path) -> None:
    bomb = _bomb(tmp_path / "x.gz", 64)
    tracemalloc.start()
    assert network_hash(bomb) == property_hash(bomb)
    assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    tracemalloc.stop()


def _with_tensors_at(path: Path, location: str) -> None:
    weights = numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weights])
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())


@pytest.mark.parametrize("place", ["absolute", "above", "link", "link above", "pipe"])
def test_tensors_are_not_looked_for_elsewhere(tmp_path: Path, place: str) -> None:
    """Neither by the reader nor by what hashes a plan's files: a model names files, and comes from strangers."""
    folder, secret = tmp_path / "folder", tmp_path / "secret"
    folder.mkdir()
    (folder / "below").symlink_to(tmp_path)
    (folder / "link").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    locations = {"absolute": str(secret), "above": "../secret", "link above": "below/secret"}
    model = folder / "n.onnx"
    _with_tensors_at(model, locations.get(place, place))
    hashes = set()
    for entry in (0.0, 1.0):
        secret.write_bytes(np.full((2, 2), entry, np.float32).tobytes())
        hashes.add(network_hash(model))
        with pytest.raises(ModelError, match=r"external tensors in .* are not read"):
            load_network(model)
    assert len(hashes) == 1


def test_tensors_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    _with_tensors_at(tmp_path / "n.onnx", "below/w.bin")
    (tmp_path / "below/w.bin").write_bytes(np.eye(2, dtype=np.float32).tobytes())
    before = network_hash(tmp_path / "n.onnx")
    assert load_network(tmp_path / "n.onnx").forward(np.array([[2.0, 3.0]])).tolist() == [[2.0, 3.0]]
    (tmp_path / "below/w.bin").write_bytes(np.ones((2, 2), np.float32).tobytes())
    assert network_hash(tmp_path / "n.onnx") != before
    assert onnx.load(tmp_path / "n.onnx").graph.initializer
