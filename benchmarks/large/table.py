"""The table of all queries in 80 columns, and two runs beside each other."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from statistics import median

from benchmarks.large.measuring import Outcome, Reading

SHORT = {"unknown": "?"}
HEADING = "network    bent/values weights query         truth verdict     s   MB    bound"
COMPARED = "network    query           before    after s before  after bound before    after"


def count(number: int) -> str:
    """A number in at most five places: 999, 45.1k, 1.66M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return str(number)


def opening(name: str, reading: Reading) -> Iterator[str]:
    """What is said before the first query of a network: why it is not read, or how its reading differs."""
    if reading.problem:
        text = f"{name} is not read: {reading.problem}"
        yield from textwrap.wrap(text, 80, subsequent_indent="  ", break_long_words=True)
    elif reading.difference > 1e-3:
        yield f"{name} is off by {reading.difference:.1g} from ONNX Runtime at some points"


def row(outcome: Outcome, reading: Reading, first: bool) -> str:
    """The line of one query; what concerns the network is said in its first line alone."""
    size = f"{count(reading.bent)}/{count(reading.values)}" if reading.values else ""
    network = (outcome.network, size, count(reading.weights)) if first else ("", "", "")
    truth = SHORT.get(outcome.truth, outcome.truth)
    left = f"{network[0]:10} {network[1]:>11} {network[2]:>7} {outcome.query:13} {truth:5}"
    if reading.problem:
        return f"{left} not read"
    bound = "" if outcome.bound is None else f"{outcome.bound:.2g}"
    right = f"{outcome.verdict:8} {outcome.seconds:4.0f} {outcome.megabytes:4.0f} {bound:>8}"
    return f"{left} {right}{' WRONG' if outcome.wrong else ''}"


def summary(outcomes: list[Outcome]) -> str:
    """How many are decided, of all and of those whose truth is known."""
    known = [o for o in outcomes if o.truth != "unknown"]
    parts = [
        f"{sum(o.decided for o in outcomes)} of {len(outcomes)} decided",
        f"{sum(o.decided for o in known)} of {len(known)} known truths",
        f"{sum(o.wrong for o in outcomes)} wrong",
        f"{sum(o.cpu for o in outcomes):.0f} s of CPU time",
    ]
    return ", ".join(parts)


def comparison(before: list[Outcome], after: list[Outcome]) -> Iterator[str]:
    """Verdicts, times and bounds of two runs, a line for each query that both have."""
    old = {(o.network, o.query): o for o in before}
    pairs = [(old[o.network, o.query], o) for o in after if (o.network, o.query) in old]
    yield COMPARED
    for a, b in pairs:
        bounds = ["" if o.bound is None or math.isnan(o.bound) else f"{o.bound:.2g}" for o in (a, b)]
        times = f"{a.seconds:8.1f} {b.seconds:6.1f}"
        yield f"{b.network:10} {b.query:13} {a.verdict:>8} {b.verdict:>8} {times} {bounds[0]:>12} {bounds[1]:>8}"
    both = [(a, b) for a, b in pairs if a.decided and b.decided]
    counts = (sum(o.decided for o in run) for run in zip(*pairs, strict=True))
    yield "decided before {}, after {}, of {}".format(*counts, len(pairs)) if pairs else "no query is in both"
    if both:
        times, cpu = (median(getattr(b, w) / max(getattr(a, w), 1e-3) for a, b in both) for w in ("seconds", "cpu"))
        yield f"of {len(both)} decided in both, the median time is {times:.2f} of what it was, CPU time {cpu:.2f}"
    for a, b in pairs:
        if {a.verdict, b.verdict} == {"sat", "unsat"}:
            yield f"CONTRADICTION: {b.network} {b.query} was {a.verdict} and is {b.verdict}"
