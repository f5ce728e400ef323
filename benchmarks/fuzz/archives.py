"""Damaged archives, lists, external tensors and stores: one-line errors, in time, in little memory.

    python -m benchmarks.fuzz.archives [--seconds 3600] [--seed 0] [--only CASE]

Gzipped models and properties with wrong lengths, several members, trailing garbage and bombs; instances.csv lists; a
model's external data at absolute paths, above its folder and behind links; SQLite stores that are cut. Lists and stores
are asked about in `verifier bench`, in one case of them in four in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, numpy_helper

from benchmarks.fuzz import mutations
from benchmarks.fuzz.files import ask, is_clean_line, pairs, through_shell
from benchmarks.fuzz.harness import Case, fuzz
from verifier import VerifierError
from verifier.batch.contents import network_hash
from verifier.batch.instances import read_instances
from verifier.batch.store import Store

LIMIT = 60.0
SHELL = 0.25
CELLS = [
    "", '"', "=1+1", "/etc/shadow", "../../../etc/passwd", "/dev/zero", "/proc/kmsg", ".", "..", "nan", "-1", "1e400",
    "0", "\x00", "\x1b[2J", "net.onnx", "net.onnx.gz", "prop.vnnlib", "sat", "unsat", "a" * 5000, "\ud7ff", "x\ny",
    "folder", "loop.onnx",
]  # fmt: skip
LOCATIONS = [
    "/etc/shadow", "/dev/zero", "/proc/kmsg", "../outside", "./weights", "weights", "link", "loop", "folder", "",
    "\x00", "a/../weights", "weights/", "pipe", "../../../../../../etc/passwd", "w" * 5000,
]  # fmt: skip


def lay_out(case: Case) -> None:
    """A network, a property, and odd things beside them."""
    choices = pairs()
    network, prop = choices[int(case.rng.integers(len(choices)))]
    shutil.copy(network, case.folder / "net.onnx")
    shutil.copy(prop, case.folder / "prop.vnnlib")
    (case.folder / "folder").mkdir()
    os.symlink("loop.onnx", case.folder / "loop.onnx")


def gzipped(case: Case) -> None:
    """A gzipped model and property, one of them damaged."""
    which = "net.onnx" if case.rng.random() < 0.5 else "prop.vnnlib"
    damage = mutations.OF_ARCHIVES[int(case.rng.integers(len(mutations.OF_ARCHIVES)))]
    for name in ("net.onnx", "prop.vnnlib"):
        data = (case.folder / name).read_bytes()
        data = damage(data, case.rng) if name == which else data
        (case.folder / f"{name}.gz").write_bytes(data)
    ask(case, "net.onnx.gz", "prop.vnnlib.gz", "gzip")


def external(case: Case) -> None:
    """Tensors in other files, or where they say that those are."""
    rng, model = case.rng, onnx.load(case.folder / "net.onnx")
    (case.folder / "weights").write_bytes(rng.bytes(int(rng.choice([0, 10, 100_000]))))
    os.symlink(rng.choice(["weights", "/etc/hostname", "../outside"]), case.folder / "link")
    os.symlink("loop", case.folder / "loop")
    os.mkfifo(case.folder / "pipe")
    for tensor in model.graph.initializer:
        if rng.random() < 0.5:
            array = numpy_helper.to_array(tensor)
            if rng.random() < 0.4:
                (case.folder / "weights").write_bytes(array.tobytes())
            tensor.CopyFrom(_outside(tensor, str(rng.choice(LOCATIONS)), rng))
    (case.folder / "net.onnx").write_bytes(model.SerializeToString())
    try:
        network_hash(case.folder / "net.onnx")
    except (OSError, VerifierError) as error:
        case.count(f"external: hash: {type(error).__name__}")
    ask(case, "net.onnx", "prop.vnnlib", "external")


def _outside(tensor: TensorProto, location: str, rng: np.random.Generator) -> TensorProto:
    """The tensor with its data elsewhere."""
    if not tensor.HasField("raw_data"):
        tensor.raw_data = b"\x00"
    external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    for key in ("offset", "length"):
        if rng.random() < 0.4:
            value = str(rng.choice(["0", "-1", "4", "1e3", "x", "", str(2**63), str(2**70), "10"]))
            tensor.external_data.add(key=key, value=value)
    return tensor


def lists(case: Case) -> None:
    """An instances.csv of odd cells, or damaged like a text."""
    rng, source = case.rng, case.folder / "instances.csv"
    rows = [["net.onnx", "prop.vnnlib", "2"]] * int(rng.integers(1, 3))
    if rng.random() < 0.4:
        rows = [["onnx", "vnnlib", "timeout", "truth"], *rows]
    rows = [[str(rng.choice(CELLS)) if rng.random() < 0.15 else cell for cell in row] for row in rows]
    data = "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")
    if rng.random() < 0.4:
        damages = (mutations.random_bytes, mutations.cut_short, mutations.encoding)
        data = damages[int(rng.integers(3))](data, rng)
    source.write_bytes(data)
    try:
        case.count(f"list: {len(read_instances(source))} instances")
    except VerifierError as error:
        case.count(f"list: {type(error).__name__}")
        _require_line(case, error)
    if rng.random() < SHELL:
        through_shell(case, ["bench", "instances.csv", "--timeout", "1", "--workers", "1", "--store", "s.db"])


def stores(case: Case) -> None:
    """A store that is cut, damaged, or another program's, resumed and reported."""
    rng, path = case.rng, case.folder / "s.db"
    with Store(path):
        pass
    data = path.read_bytes()
    kind = int(rng.integers(5))
    if kind == 0:
        path.write_bytes(mutations.cut_short(data, rng))
    elif kind == 1:
        path.write_bytes(mutations.random_bytes(data, rng))
    elif kind == 2:
        path.write_bytes(data[:100] + rng.bytes(len(data) - 100))
    elif kind == 3:
        with sqlite3.connect(path) as store:
            tables = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            store.execute(f"DROP TABLE {rng.choice(tables)}")
    else:
        with sqlite3.connect(path) as store:
            store.execute(f"PRAGMA user_version = {rng.choice([0, 1, 2, 99, -1, 2**31 - 1])}")
    try:
        with Store(path, create=False):
            case.count("store: opened")
    except VerifierError as error:
        case.count(f"store: {type(error).__name__}")
        _require_line(case, error)
    if rng.random() < SHELL:
        (case.folder / "instances.csv").write_text("net.onnx,prop.vnnlib,2\n")
        run = ["bench", "instances.csv", "--timeout", "1", "--workers", "1", "--store", "s.db", "--resume"]
        through_shell(case, run if rng.random() < 0.5 else ["report", "s.db"])


def _require_line(case: Case, error: VerifierError) -> None:
    if not is_clean_line(str(error)):
        case.blame("message is no clean line", repr(str(error)))


def work(case: Case) -> None:
    lay_out(case)
    kinds = (gzipped, gzipped, external, lists, stores)
    kinds[int(case.rng.integers(len(kinds)))](case)


def main() -> int:
    return min(1, fuzz("archives", work, LIMIT, __doc__))


if __name__ == "__main__":
    sys.exit(main())
