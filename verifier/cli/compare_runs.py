"""`verifier compare-runs A B`: what changed from one run to another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.options import flag, option, word
from verifier.cli.output import say, say_table
from verifier.cli.statuses import judged, write_or_exit
from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.batch.comparison import Comparison, Pair
    from verifier.batch.records import Result

KINDS = ("contradictory", "gained", "lost", "faster", "slower", "proofs gained", "proofs lost")
"""What is named, instance by instance."""
SHOWN = 20
"""Instances that are named of each kind, unless all are asked for."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs."""

    a: str = word(str, "A", "A store, or STORE#RUN; its last run if no number is given.")
    b: str = word(str, "B", "Likewise; may be the same store.")
    methods: str | None = option(str, None, "Which method of each, where a run has several.", "OF_A,OF_B")


@dataclass(frozen=True, kw_only=True)
class Output:
    """Output."""

    json: Path | None = option(Path, None, "Write the comparison, all instances named.")
    all: bool = flag(f"Name all instances, not just {SHOWN} of each kind.")


def compare_runs(runs: Runs, output: Output) -> int:
    """Compare two runs, instance by instance: gained, lost, faster, slower.

    Instances are the same where the contents of network and property are. The ratio of times is B's over A's, where
    both solved. Exit status: 0, 2 wrong input or usage, 4 the runs contradict each other, 5 verdicts contradict known
    ones.

    Examples:

    verifier compare-runs before.db after.db

    verifier compare-runs results.db#1 results.db#2

    verifier compare-runs results.db results.db --methods crown,milp
    """
    from verifier.batch.agreement import with_shared_truths
    from verifier.batch.comparison import Comparison
    from verifier.evidence.result_files import check_writable, write_whole

    json_file = output.json
    if json_file is not None:
        check_writable(json_file, "--json")
    wanted = _wanted(runs.methods)
    first, second = _results(runs.a, wanted[0]), _results(runs.b, wanted[1])
    comparison = Comparison.of(first, second)
    if not comparison.pairs:
        raise UsageError(
            "the two runs have no instance in common", f"{runs.a}, {runs.b}", "compare runs of the same files"
        )
    say(f"A: {_described(first)}")
    say(f"B: {_described(second)}")
    _print(comparison, None if output.all else SHOWN)
    status = judged(with_shared_truths([*first, *second]))
    if json_file is not None:
        text = json.dumps(_record(comparison), indent=1) + "\n"
        write_or_exit(status, lambda: write_whole(json_file, text))
    return status


def _wanted(methods: str | None) -> tuple[str | None, str | None]:
    if methods is None:
        return None, None
    names = [name.strip() for name in methods.split(",")]
    if len(names) > 2 or not all(names):
        raise UsageError(f"{methods!r} are not one or two methods", "--methods", "write one for both, or OF_A,OF_B")
    return names[0], names[-1]


def _results(place: str, method: str | None) -> list[Result]:
    """The results of the last run that is named, by one method."""
    from verifier.batch.records import read_last

    run, results = read_last(place)
    has = list(dict.fromkeys(result.method for result in results))
    if method is None and len(has) > 1:
        raise UsageError(f"run {run.name} has several methods ({', '.join(has)})", place, "choose with --methods")
    if method is not None and method not in has:
        raise UsageError(f"run {run.name} has no method {method}, but {', '.join(has)}", place, "choose one of those")
    return [result for result in results if method in (None, result.method)]


def _described(results: Sequence[Result]) -> str:
    run = results[0].run
    timeouts = sorted({result.timeout for result in results})
    told = f"{timeouts[0]:g}" if len(timeouts) == 1 else f"{timeouts[0]:g} to {timeouts[-1]:g}"
    done = sum(result.verdict is not None for result in results)
    solved = sum(result.solved for result in results)
    version = run.facts.get("versions", {}).get("verifier", "?")
    revision = str(run.facts.get("revision", ""))[:10]
    who = f"{results[0].method}, verifier {version} {revision}".rstrip()
    left = "" if done == len(results) else f", not finished: {len(results) - done} left"
    return f"{run.name}, {who}, {told} s, {solved} solved of {done}{left}"


def _print(comparison: Comparison, limit: int | None) -> None:
    from rich.table import Table

    ratio = comparison.median_ratio
    rows = [
        (
            "instances in both",
            str(len(comparison.pairs)),
            f"{comparison.only_a} in A alone, {comparison.only_b} in B alone",
        ),
        ("solved by both", str(len(comparison.both)), "" if ratio is None else f"median ratio of times {ratio:.3f}"),
        ("gained", str(len(comparison.gained)), f"sign test p = {comparison.solved_sign_test:.3g}"),
        ("lost", str(len(comparison.lost)), ""),
        ("faster", str(len(comparison.faster)), f"sign test on all times p = {comparison.time_sign_test:.3g}"),
        ("slower", str(len(comparison.slower)), ""),
        (
            "contradictory",
            str(len(comparison.contradictory)),
            "one of them is wrong" if comparison.contradictory else "",
        ),
    ]
    rows += _proofs(comparison)
    table = Table(show_header=False)
    for row in rows:
        table.add_row(*row)
    say_table(table)
    for kind in KINDS:
        pairs: list[Pair] = getattr(comparison, kind.replace(" ", "_"))
        for pair in pairs[:limit]:
            say(f"{kind}  {pair.a.name}  {_told(pair.a)} -> {_told(pair.b)}")
        if limit is not None and len(pairs) > limit:
            say(f"{kind}  and {len(pairs) - limit} more; --all names them")


def _proofs(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Lines on who has a proof; none where neither run was asked for any."""
    from verifier.batch.report.proofs import proof_score

    lines = []
    for name, results in (("A", [p.a for p in comparison.pairs]), ("B", [p.b for p in comparison.pairs])):
        score = proof_score(results)
        if score.asked:
            ratios = (("writing", score.writing), ("checking", score.checking))
            times = ", ".join(f"{what} {ratio:.2f} of verifying" for what, ratio in ratios if ratio is not None)
            size = "" if score.size is None else f"median {score.size / 1000:.1f} kB, {times}"
            accepted = f", {score.accepted} accepted" if score.checked else ""
            lines.append((f"proofs in {name}", f"{score.proofs} of {score.asked}{accepted}", size))
    return lines


def _told(result: Result) -> str:
    proof = "" if result.proof is None else f", {result.proof.note}"
    return f"{result.verdict} {result.seconds:.2f} s{proof}"


def _record(comparison: Comparison) -> dict[str, Any]:
    kinds = (*(kind.replace(" ", "_") for kind in KINDS), "both")
    return {
        "pairs": len(comparison.pairs),
        "only_a": comparison.only_a,
        "only_b": comparison.only_b,
        "median_ratio": comparison.median_ratio,
        "time_sign_test": comparison.time_sign_test,
        "solved_sign_test": comparison.solved_sign_test,
        **{kind: [_pair_record(pair) for pair in getattr(comparison, kind)] for kind in kinds},
    }


def _pair_record(pair: Pair) -> dict[str, Any]:
    return {
        "instance": pair.a.name,
        "verdicts": [str(pair.a.verdict), str(pair.b.verdict)],
        "seconds": [round(pair.a.seconds, 4), round(pair.b.seconds, 4)],
        **({} if pair.a.proof is pair.b.proof is None else {"proofs": [_proof(pair.a), _proof(pair.b)]}),
    }


def _proof(result: Result) -> dict[str, Any] | None:
    return None if result.proof is None else asdict(result.proof)
