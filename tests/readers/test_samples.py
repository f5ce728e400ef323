"""Samples read the same from all kinds of file, in the network's own order or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from verifier.errors import PropertyError, UsageError
from verifier.network.graph import Port
from verifier.property.samples import as_input, as_inputs
from verifier.readers.samples import load_samples

FLAT = (Port("X", (6,)),)
IMAGE = (Port("X", (1, 3, 4, 5)),)


def test_one_sample_from_every_kind_of_file(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(2, 3))
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", image=values)
    np.savetxt(tmp_path / "a.csv", values, delimiter=",", fmt="%.17g", header="two rows")
    np.savetxt(tmp_path / "a.txt", values, fmt="%.17g")
    (tmp_path / "b.csv").write_text("a;b;c;d;e;f\n" + ";".join(map(repr, values.ravel().tolist())) + "\n")
    for path in sorted(tmp_path.iterdir()):
        assert load_samples(path, FLAT).x.tolist() == [values.ravel().tolist()]


@pytest.mark.parametrize(
    ("text", "x", "labels"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]], None),
        ("1,2,7\n3,4,8\n", [[1, 2], [3, 4]], [7, 8]),
        ("a,b,label\n1,2,7\n3,4,8\n", [[1, 2], [3, 4]], [7, 8]),
        ("Label,a,b\n7,1,2\n8,3,4\n", [[1, 2], [3, 4]], [7, 8]),
        ("a b\n1 2\n", [[1, 2]], None),
        ("1\n2\n", [[1, 2]], None),
    ],
)
def test_tables_with_and_without_heading_and_classes(
    tmp_path: Path, text: str, x: list[list[float]], labels: list[int] | None
) -> None:
    (tmp_path / "a.csv").write_text(text)
    found = load_samples(tmp_path / "a.csv", (Port("X", (1, 2)),))
    assert found.x.tolist() == x
    assert (found.labels if found.labels is None else found.labels.tolist()) == labels


def test_files_that_are_no_samples_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "complex.npy", np.array([1j]))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "nan.npy", np.array([np.nan]))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "nan.npy").read_bytes()[:40])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:60])
    (tmp_path / "empty.csv").write_text("# nothing\n")
    (tmp_path / "words.csv").write_text("1,two")
    (tmp_path / "heading.csv").write_text("a,b,c\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe1")
    (tmp_path / "nothing.npy").write_bytes(b"")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(PropertyError, match=path.name):
            load_samples(path, (Port("X", (1,)),))
    for name in ("notes.md", "absent.npy", "absent.png"):
        with pytest.raises(UsageError):
            load_samples(tmp_path / name, FLAT)


def test_images_are_read_in_the_networks_layout(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    image.fromarray(values).save(tmp_path / "a.png")
    image.fromarray(values[..., 0]).save(tmp_path / "grey.png")
    moved = np.moveaxis(values, -1, 0).ravel() / 255
    assert load_samples(tmp_path / "a.png", IMAGE).x.tolist() == [moved.tolist()]
    assert load_samples(tmp_path / "a.png", (Port("X", (1, 4, 5, 3)),)).x.tolist() == [(values.ravel() / 255).tolist()]
    assert load_samples(tmp_path / "grey.png", (Port("X", (1, 1, 4, 5)),)).x.shape == (1, 20)
    with pytest.raises(PropertyError, match=r"shape \(4, 5\)"):
        load_samples(tmp_path / "grey.png", IMAGE)
    (tmp_path / "false.png").write_bytes(b"none")
    with pytest.raises(PropertyError, match=r"false\.png"):
        load_samples(tmp_path / "false.png", IMAGE)


def test_without_pillow_images_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match="pip install pillow"):
        load_samples(tmp_path / "a.png", IMAGE)


def test_a_sample_is_in_the_networks_layout_or_flat() -> None:
    sample = np.random.default_rng(0).normal(size=(3, 4, 5))
    for given in (sample, sample[None], sample.ravel(), sample.reshape(1, 60)):
        assert as_input(given, IMAGE).tolist() == sample.ravel().tolist()
    last = np.moveaxis(sample, 0, -1)
    assert as_input(last, IMAGE, "last").tolist() == sample.ravel().tolist()
    assert as_inputs(last[None], IMAGE, "last").tolist() == [sample.ravel().tolist()]
    with pytest.raises(PropertyError, match=r"shape \(4, 5, 3\).*shape \(1, 3, 4, 5\).*channels=last"):
        as_input(last, IMAGE)
    for shape in ((5, 4, 3), (12, 5), (60, 1, 1, 2)):
        with pytest.raises(PropertyError, match="the network has 60 inputs"):
            as_input(np.zeros(shape), IMAGE)
    with pytest.raises(UsageError, match="channels"):
        as_input(sample, IMAGE, "middle")


def test_rows_of_a_grey_image_fit_a_flat_input() -> None:
    assert as_input(np.arange(6).reshape(2, 3), FLAT).tolist() == list(range(6))
    with pytest.raises(PropertyError, match="flat"):
        as_input(np.zeros((1, 2, 3, 2)), (Port("X", (12,)),))
