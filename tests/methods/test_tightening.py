"""Sharpened bounds feed every method: none gets looser, and no verdict changes but from unknown to known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verifier.bounds.layout import undecided
from verifier.errors import UsageError
from verifier.methods import Options, Task, method_named, run
from verifier.methods.task import host
from verifier.methods.tightening import tighten
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"


def task(prop: str, **options: object) -> Task:
    network = load_network(SPECS / "onnx" / f"{prop.rpartition('_')[0]}.onnx")
    query = load_property(SPECS / "vnnlib" / f"{prop}.vnnlib", network)
    return Task(network, query, Options(**{"timeout": 20.0, **options}))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["interval", "crown", "dual", "alpha", "lp"])
@pytest.mark.parametrize("prop", ["digits_dense_close", "moons_everywhere"])
def test_margins_rise(method: str, prop: str) -> None:
    plain, sharp = task(prop), task(prop, tighten="lp", tighten_share=1.0)
    loose, tight = run(plain, method_named(method)), run(sharp, method_named(method))
    assert loose.bound is not None
    assert tight.bound is not None
    assert tight.bound >= loose.bound - 1e-6 * (1 + abs(loose.bound))
    assert {loose.status, tight.status} != {"sat", "unsat"}
    assert loose.status != "unsat" or tight.status == "unsat"  # a witness, though, may be met with by luck
    box = sharp.query.disjuncts[0].box
    before, after = (int(undecided(t.forms, t.enclosures.of(box))[0]) for t in (task(prop), sharp))
    assert f"bounds sharpened by lp: {before} open neurons before, " in sharp.explanation[0]
    assert after <= before


@pytest.mark.parametrize("method", ["inputs", "neurons", "milp", "auto"])
@pytest.mark.parametrize(("prop", "status"), [("moons_upper", "unsat"), ("moons_everywhere", "sat")])
def test_complete_methods_go_on_from_sharpened_bounds(method: str, prop: str, status: str) -> None:
    sharp = task(prop, tighten="milp", tighten_share=0.5)
    assert run(sharp, method_named(method)).status == status


def test_a_search_on_inputs_needs_fewer_boxes_from_sharpened_bounds() -> None:
    plain, sharp = task("moons_both"), task("moons_both", tighten="milp", tighten_share=0.5)
    for one in (plain, sharp):
        assert run(one, method_named("inputs")).status == "unsat"
    assert not sharp.history or sharp.history[-1].explored <= plain.history[-1].explored


def test_exact_programs_sharpen_most_and_processes_change_nothing() -> None:
    left = []
    for options in ({"tighten": "lp"}, {"tighten": "lp", "threads": 1}, {"tighten": "milp"}):
        one = task("moons_everywhere", tighten_share=1.0, **options)
        (box, _) = one.open_conjunctions()[0]
        loose = one.enclosures.of(box)
        tighten(one)
        sharp = one.enclosures.of(box)
        left.append((undecided(one.forms, sharp)[0], host(sharp)))
        for (low, high), (known_low, known_high) in zip(host(sharp), host(loose), strict=True):
            assert (low >= known_low).all()
            assert (high <= known_high).all()
    for (low, high), (low_alone, high_alone) in zip(left[0][1], left[1][1], strict=True):
        np.testing.assert_allclose(low, low_alone, atol=1e-7)
        np.testing.assert_allclose(high, high_alone, atol=1e-7)
    assert left[2][0] <= left[0][0] == left[1][0]


def test_what_may_not_be_asked_for() -> None:
    with pytest.raises(UsageError, match="tightening by 'sdp'"):
        Options(tighten="sdp")
    with pytest.raises(UsageError, match="a share of 0"):
        Options(tighten_share=0.0)
