"""The real VNN-COMP properties."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests import vnncomp
from tests.readers import plain_vnnlib
from verifier.property.query import Query
from verifier.readers.vnnlib import load_property


def files() -> list[Path]:
    """Each property file of the index once."""
    return sorted({instance.prop for instance in vnncomp.instances()})


def text_of(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()


def check_against_text(query: Query, text: str, rng: np.random.Generator) -> None:
    """The query and a plain evaluator agree on points in, at the corners of and around some of its boxes."""
    picks = rng.choice(len(query.disjuncts), min(3, len(query.disjuncts)), replace=False)
    assertions = [e[1] for e in plain_vnnlib.expressions(text) if e[0] == "assert"]
    agreed = set()
    for disjunct in (query.disjuncts[int(k)] for k in picks):
        box = disjunct.box
        for _ in range(3):
            weights = rng.choice([0.0, 0.5, 1.0], query.input_size)
            x = (box.lower + weights * (box.upper - box.lower)).astype(np.float32)
            clipped = np.clip(x, box.inner_lower, box.inner_upper)
            y = rng.normal(size=query.output_size).astype(np.float32)
            for point in (x, clipped):
                expected = all(plain_vnnlib.holds(a, point, y) for a in assertions)
                assert query.violated(point, y) == expected
                agreed.add(expected)
    assert agreed


def test_a_sample_agrees_with_the_plain_evaluator() -> None:
    small = [path for path in files() if path.stat().st_size < 8_000]
    rng = np.random.default_rng(0)
    for path in small[:: max(1, len(small) // 30)]:
        query = load_property(path)
        check_against_text(query, text_of(path), rng)


def test_known_shapes_of_properties() -> None:
    folder = vnncomp.root()
    mnist = load_property(next(folder.glob("mnist_fc/*.vnnlib.gz")))
    assert len(mnist.disjuncts) == 9
    assert len({id(d.box) for d in mnist.disjuncts}) == 1
    assert (mnist.input_size, mnist.output_size) == (784, 10)
    assert mnist.patterns.count == 9
    lindex = load_property(folder / "nn4sys_2023" / "lindex_1000.vnnlib.gz")
    assert len(lindex.disjuncts) == 2000
    assert len({id(d.box) for d in lindex.disjuncts}) == 1000
    assert lindex.patterns.count == 2


@pytest.mark.slow
def test_every_property_reads() -> None:
    for path in files():
        query = load_property(path)
        assert 1 <= len(query.disjuncts) <= 14_000, path
        assert query.note == "", path
        for disjunct in query.disjuncts:
            assert disjunct.rows
            assert (disjunct.box.lower <= disjunct.box.upper).all()
