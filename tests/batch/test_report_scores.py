"""Counts, the competition's score, and incomplete methods against complete ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.batch.report_cases import material, rich_store
from tests.batch.stores import add_run, item, outcome
from verifier.batch.report.completeness import crosses
from verifier.batch.report.scores import by_benchmark, totals


def test_right_verdicts_count_ten_and_wrong_ones_minus_150(tmp_path: Path) -> None:
    results = [
        (item("a", truth="unsat"), outcome("unsat", 1.0)),
        (item("b", truth="sat"), outcome("sat", 2.0)),
        (item("c"), outcome("unsat", 6.0)),
        (item("d", truth="sat"), outcome("unsat", 4.0)),
        (item("e", truth="unsat"), outcome("timeout", 10.0)),
        (item("f"), outcome("unknown", 3.0)),
        (item("g"), outcome("error", 3.0)),
        (item("h", truth="sat"), None),
    ]
    add_run(tmp_path / "s.db", results)
    (line,) = totals(material(tmp_path / "s.db"))
    score = line.score
    assert (score.instances, score.verified, score.falsified, score.wrong) == (8, 3, 1, 1)
    assert (score.unknown, score.timeout, score.error, score.missing, score.disputed) == (1, 1, 1, 1, 0)
    assert score.points == 3 * 10 - 150
    assert (score.total_seconds, score.median_seconds) == (13.0, 3.0)


def test_a_contradicted_verdict_of_unknown_truth_counts_nothing(tmp_path: Path) -> None:
    for truth, points in (("", (0, 0)), ("sat", (-150, 10)), ("unsat", (10, -150))):
        path = tmp_path / f"{truth or 'open'}.db"
        asked = item("a", "auto", truth), item("a", "milp", truth)
        add_run(path, [(asked[0], outcome("unsat")), (asked[1], outcome("sat"))])
        lines = totals(material(path))
        assert tuple(line.score.points for line in lines) == points
        assert [line.score.disputed for line in lines] == ([0, 0] if truth else [1, 1])


def test_contradictions_are_found_between_runs_and_stores(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    add_run(tmp_path / "x" / "s.db", [(item("a"), outcome("unsat"))])
    add_run(tmp_path / "y" / "s.db", [(item("a"), outcome("sat")), (item("b"), outcome("sat"))])
    both = material(tmp_path / "x" / "s.db", tmp_path / "y" / "s.db")
    (group,) = both.contradictions
    assert {both.contender(result).run for result in group} == {
        f"{tmp_path}/x/s.db#1",
        f"{tmp_path}/y/s.db#1",
    }
    assert [line.score.points for line in totals(both)] == [0, 10]


def test_a_run_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    path = rich_store(tmp_path / "s.db")
    assert len(material(path, f"{path}#1", f"{path}#2").results) == len(material(path).results) == 11
    assert len(material(f"{path}#2").results) == 3


def test_each_benchmark_has_a_line_for_each_method_that_was_asked_it(tmp_path: Path) -> None:
    lines = by_benchmark(material(rich_store(tmp_path / "s.db")))
    told = [(line.benchmark, line.who.label, line.score.instances) for line in lines]
    assert told[:4] == [
        ("set", "auto · s.db#1", 2),
        ("set", "crown · s.db#1", 2),
        ("set", "auto · s.db#2", 3),
        ("other", "auto · s.db#1", 2),
    ]
    assert sum(count for *_, count in told) == 11


def test_incomplete_methods_are_measured_by_what_complete_ones_verified(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    verdicts = {"a": ("unsat", "unsat"), "b": ("unsat", "unknown"), "c": ("sat", "unknown"), "d": ("timeout", "unsat")}
    results = [
        (item(name, method), outcome(verdict, method=method))
        for name, both in verdicts.items()
        for method, verdict in zip(("milp", "crown"), both, strict=True)
    ]
    # The other complete method decides what the first did not, and contradicts it once.
    results += [(item("d", "auto"), outcome("unsat")), (item("c", "auto"), outcome("unsat"))]
    results += [(item("e", "crown"), outcome("unsat"))]
    add_run(path, results)
    (cross,) = crosses(material(path))
    assert (cross.asked, cross.verified, cross.share) == (3, 2, 2 / 3)
    assert cross.counts == {
        ("unsat", "unsat"): 2,
        ("unknown", "unsat"): 1,
        ("unknown", "disputed"): 1,
    }
    assert (cross.rows, cross.columns) == (["unsat", "unknown"], ["unsat", "disputed"])


def test_there_is_no_cross_table_without_both_kinds(tmp_path: Path) -> None:
    add_run(tmp_path / "a.db", [(item("a", "milp"), outcome("unsat")), (item("a", "future"), outcome("unsat"))])
    add_run(tmp_path / "b.db", [(item("b", "crown"), outcome("unsat"))])
    shutil.copy(tmp_path / "b.db", tmp_path / "c.db")
    assert not crosses(material(tmp_path / "a.db"))
    assert not crosses(material(tmp_path / "b.db", tmp_path / "c.db"))
    assert not crosses(material(tmp_path / "a.db", tmp_path / "b.db"))  # no instance in common
