"""What changed between two runs, and where methods contradict each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import comb
from pathlib import Path

import pytest

from tests.batch.stores import add_run, item, outcome
from verifier.batch.agreement import contradictions, disputed_truths, with_shared_truths
from verifier.batch.comparison import Comparison, sign_test
from verifier.batch.records import Result, read_places


def runs(path: Path, *verdicts: dict[str, tuple[str, float]]) -> list[list[Result]]:
    """A run for each dictionary of instance: (verdict, seconds)."""
    for run in verdicts:
        add_run(path, [(item(name), outcome(*given)) for name, given in run.items()])
    return [results for _, results in read_places([str(path)])]


def names(pairs: list) -> list[str]:
    return [pair.a.name.split("/")[1] for pair in pairs]


def test_every_pair_is_of_one_kind(tmp_path: Path) -> None:
    kinds = list(product(("unsat", "sat", "unknown", "timeout", "error"), repeat=2))
    a = {f"{x}-{y}": (x, 1.0) for x, y in kinds}
    b = {f"{x}-{y}": (y, 1.0) for x, y in kinds}
    comparison = Comparison.of(*runs(tmp_path / "s.db", a | {"alone": ("sat", 1.0)}, b))
    solved = ("unsat", "sat")
    assert len(comparison.pairs) == 25
    assert (comparison.only_a, comparison.only_b) == (1, 0)
    assert sorted(names(comparison.gained)) == sorted(f"{x}-{y}" for x, y in kinds if y in solved and x not in solved)
    assert sorted(names(comparison.lost)) == sorted(f"{x}-{y}" for x, y in kinds if x in solved and y not in solved)
    assert sorted(names(comparison.both)) == ["sat-sat", "unsat-unsat"]
    assert sorted(names(comparison.contradictory)) == ["sat-unsat", "unsat-sat"]


def test_times_are_compared_where_both_solved(tmp_path: Path) -> None:
    a = {
        "quick": ("unsat", 0.01),
        "same": ("sat", 2.0),
        "won": ("unsat", 8.0),
        "won2": ("sat", 3.0),
        "lost": ("sat", 1.0),
    }
    b = {
        "quick": ("unsat", 0.05),
        "same": ("sat", 2.1),
        "won": ("unsat", 1.0),
        "won2": ("sat", 1.5),
        "lost": ("sat", 4.0),
    }
    comparison = Comparison.of(*runs(tmp_path / "s.db", a, b))
    assert names(comparison.faster) == ["won", "won2"]
    assert names(comparison.slower) == ["lost"]
    assert comparison.median_ratio == pytest.approx(1.05)
    assert comparison.time_sign_test == pytest.approx(1.0)  # 2 wins, 3 losses


def test_nothing_solved_together(tmp_path: Path) -> None:
    comparison = Comparison.of(*runs(tmp_path / "s.db", {"a": ("sat", 1.0)}, {"a": ("timeout", 9.0)}))
    assert comparison.median_ratio is None
    assert comparison.time_sign_test == 1.0


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 5), (3, 4), (10, 2), (6, 6)])
def test_the_sign_test_counts_coin_tosses(wins: int, losses: int) -> None:
    n, low = wins + losses, min(wins, losses)
    tail = sum(comb(n, k) for k in range(low + 1)) / 2**n
    assert sign_test(wins, losses) == pytest.approx(min(1.0, 2 * tail))


def test_contradictions_between_methods_and_runs(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add_run(path, [(item("a", "crown"), outcome("unsat")), (item("a", "attack"), outcome("sat"))])
    add_run(path, [(item("b"), outcome("unsat")), (item("c"), outcome("unsat")), (item("d"), outcome("sat"))])
    add_run(path, [(item("b"), outcome("sat")), (item("c"), outcome("unsat")), (item("d"), outcome("timeout"))])
    everything = [result for _, results in read_places([str(path)]) for result in results]
    groups = contradictions(everything)
    assert [[(r.name, r.method, r.verdict) for r in group] for group in groups] == [
        [("set/a/a", "crown", "unsat"), ("set/a/a", "attack", "sat")],
        [("set/b/b", "auto", "unsat"), ("set/b/b", "auto", "sat")],
    ]


def test_the_same_contents_under_several_names_are_paired_by_name(tmp_path: Path) -> None:
    def twins(one: str, other: str) -> list:
        first = item("twin")
        instance = replace(first.instance, network=Path("/nowhere/copy.onnx"))
        return [(first, outcome(one)), (replace(first, instance=instance), outcome(other))]

    add_run(tmp_path / "s.db", twins("unsat", "timeout"))
    add_run(tmp_path / "s.db", twins("unsat", "sat")[::-1])
    a, b = (results for _, results in read_places([str(tmp_path / "s.db")]))
    comparison = Comparison.of(a, b)
    assert [(p.a.name, p.b.name) for p in comparison.pairs] == [("set/twin/twin",) * 2, ("set/copy/twin",) * 2]
    assert [pair.a.name for pair in comparison.gained] == ["set/copy/twin"]
    assert (comparison.only_a, comparison.only_b) == (0, 0)
    assert len(Comparison.of(a[:1], b[:1]).pairs) == 1  # under other names, where no names agree
    assert [len(group) for group in contradictions([*a, *b])] == [3]


def test_a_known_verdict_reaches_the_same_contents_in_other_runs(tmp_path: Path) -> None:
    add_run(tmp_path / "a.db", [(item("x", truth="sat"), outcome("timeout")), (item("y", truth="sat"), None)])
    add_run(tmp_path / "b.db", [(item("x"), outcome("unsat")), (item("y", truth="unsat"), outcome("unsat"))])
    results = [r for _, found in read_places([str(tmp_path / f"{name}.db") for name in "ab"]) for r in found]
    shared = with_shared_truths(results)
    assert [result.truth for result in shared] == ["sat", "sat", "sat", "unsat"]
    assert [result.wrong for result in shared] == [False, False, True, False]
    assert [result.name for result in disputed_truths(shared)] == ["set/y/y"]
