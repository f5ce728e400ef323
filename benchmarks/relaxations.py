"""How tight each level of relaxation is, and what it costs: 50 random small networks, the same intermediate bounds.

    python -m benchmarks.relaxations [--count 50] [--seed 0]

Every bound is of the one output, over a box, with CROWN's intermediate bounds; its gap is to the exact minimum, found
by enumeration of all activation patterns, and "tightness" is 1 less the gap as a share of the interval's width. The
orders that theory promises are checked: interval <= CROWN <= alpha <= LP <= MILP = enumeration; dual network = CROWN
with the same slopes <= LP; SDP <= enumeration.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import mean, median

import numpy as np

from benchmarks.semidefinite import Case, alpha, case, crown, exact, intervals, lp, random_network, sdp
from tests.programs.patterns import exact_minimum
from verifier.bounds.backward import BackwardPass
from verifier.bounds.dual_network import DualNetwork
from verifier.relaxations.lines import Policy

SIZES = ((3, 6, 4, 1), (4, 5, 5, 1), (2, 9, 1), (3, 4, 3, 3, 1))
LEAST = 4
NARROWEST = 0.1
ROUNDING = 1e-6
MILP_MARGIN = 1e-3


def interval(case: Case) -> float:
    return float(case.bounds[-1][0][0])


def dual(case: Case) -> float:
    return float(
        DualNetwork(case.network, intervals(case)).minimum(len(case.network.nodes) - 1, np.ones((1, 1, 1))).bound[0, 0]
    )


def crown_parallel(case: Case) -> float:
    backward = BackwardPass(case.network, intervals(case), Policy.PARALLEL)
    return float(backward.minimum(len(case.network.nodes) - 1, np.ones((1, 1, 1))).bound[0, 0])


def enumeration(case: Case) -> float:
    return exact_minimum(case.network, case.box.lower, case.box.upper, np.zeros(1, np.int64), np.zeros(1))


METHODS: dict[str, Callable[[Case], float]] = {
    "interval": interval,
    "dual network": dual,
    "CROWN": crown,
    "alpha-CROWN": alpha,
    "LP": lp,
    "SDP": sdp,
    "MILP": exact,
    "enumeration": enumeration,
}


def check_order(values: dict[str, float], parallel: float) -> None:
    """Raises an AssertionError where a bound is on the wrong side of another."""
    room = ROUNDING * (1 + abs(values["interval"]))
    chain = ["interval", "CROWN", "alpha-CROWN", "LP", "enumeration"]
    for below, above in pairwise(chain):
        assert values[below] <= values[above] + room, (below, above, values)
    assert values["dual network"] <= values["LP"] + room, values
    assert abs(values["dual network"] - parallel) <= room, (values, parallel)
    assert values["SDP"] <= values["enumeration"] + room, values
    assert values["MILP"] <= values["enumeration"] + room, values
    assert values["enumeration"] - values["MILP"] <= MILP_MARGIN * (1 + abs(values["interval"])), values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    tightness: dict[str, list[float]] = {name: [] for name in METHODS}
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    for question in questions(np.random.default_rng(arguments.seed), arguments.count):
        values = {}
        for name, method in METHODS.items():
            started = time.process_time()
            values[name] = method(question)
            seconds[name].append(time.process_time() - started)
        check_order(values, crown_parallel(question))
        for name, value in values.items():
            tightness[name].append(1 - (values["enumeration"] - value) / width(question))
    print(f"{arguments.count} networks, all orders hold")
    print(f"{'':14}{'mean tightness':>15}{'median':>8}{'least':>8}{'median CPU s':>14}")
    for name in METHODS:
        shares = tightness[name]
        print(f"{name:14}{mean(shares):15.3f}{median(shares):8.3f}{min(shares):8.3f}{median(seconds[name]):14.4f}")


def width(question: Case) -> float:
    """Of the interval's bounds of the output."""
    return float(question.bounds[-1][1][0] - question.bounds[-1][0][0])


def questions(rng: np.random.Generator, count: int) -> Iterator[Case]:
    """Random networks over boxes of which relaxations have something to say: relus are open, the output varies."""
    found = 0
    while found < count:
        sizes = SIZES[found % len(SIZES)]
        question = case(random_network(rng, sizes), rng.normal(size=sizes[0]), float(rng.uniform(0.3, 1.0)))
        if question.unstable >= LEAST and width(question) >= NARROWEST:
            found += 1
            yield question


if __name__ == "__main__":
    main()
