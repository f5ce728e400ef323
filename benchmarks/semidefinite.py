"""Shows what the semidefinite relaxation gains: lower bounds of one output of random relu networks, and CPU seconds.

All methods get the same intermediate bounds (CROWN's). "Closed" is (bound - CROWN) / (exact - CROWN). `alpha`
optimises the lower slopes only; `exact` is the MILP's optimum, less its margins (about 1e-5).

    python benchmarks/semidefinite.py [--count 10] [--least 40] [--most 70] [--seed 0]

Networks have one to three hidden layers, weights of norm about 1 a row, and boxes of such a radius that between `least`
and `most` of their relus are unstable.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from verifier.bounds.enclosure import Interval
from verifier.bounds.lagrangian import Lagrangian, Rows, first_choice
from verifier.bounds.layout import layout
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.bounds.relaxation import Relaxation
from verifier.deadline import Deadline
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Dense
from verifier.programs.encode import Bounds
from verifier.programs.margins import exact_margin, relaxed_margins
from verifier.programs.semidefinite import semidefinite_margins
from verifier.property.query import Box

NEVER = Deadline()
SIZES = ((6, 25, 25, 1), (8, 30, 30, 1), (10, 40, 40, 1), (8, 24, 24, 24, 1), (20, 60, 1))


@dataclass(frozen=True, eq=False)
class Case:
    """A network of one output over a box, with CROWN's bounds of every node, shape (size,)."""

    network: Network
    box: Box
    bounds: Bounds

    @property
    def unstable(self) -> int:
        operands = [node.operands[0] for node in self.network.nodes if isinstance(node, Elementwise)]
        return sum(int(((self.bounds[i][0] < 0) & (self.bounds[i][1] > 0)).sum()) for i in operands)


def random_network(rng: np.random.Generator, sizes: tuple[int, ...]) -> Network:
    """Fully connected, with relus; rows of weights have norm about 1."""
    nodes: list[Node] = [Input(sizes[0])]
    for before, after in pairwise(sizes):
        weight = Dense(rng.normal(size=(after, before)) / np.sqrt(before))
        nodes.append(Affine((len(nodes) - 1,), (weight,), 0.3 * rng.normal(size=after)))
        nodes.append(Elementwise((len(nodes) - 1,), Relu(), after))
    return Network(tuple(nodes[:-1]))


def case(network: Network, centre: np.ndarray, radius: float) -> Case:
    box = Box.exact(centre - radius, centre + radius)
    intervals = linear_bounds(network, box.lower[None, :], box.upper[None, :])
    return Case(network, box, [(interval.lower[0], interval.upper[0]) for interval in intervals])


def random_case(rng: np.random.Generator, sizes: tuple[int, ...], least: int, most: int) -> Case | None:
    """A case with so many unstable relus; None where no radius tried gives one."""
    network, centre, wanted = random_network(rng, sizes), rng.normal(size=sizes[0]), int(rng.integers(least, most + 1))
    for radius in np.geomspace(0.05, 2.0, 40):
        found = case(network, centre, float(radius))
        if found.unstable >= wanted:
            return found if found.unstable <= most else None
    return None


def crown(case: Case) -> float:
    return float(rows_minimum(case.network, intervals(case))[0, 0])


def alpha(case: Case) -> float:
    known, last = intervals(case), len(case.network.nodes) - 1
    relaxation = Relaxation(case.network, known, layout(case.network, known))
    rows = Rows(last, np.ones((1, 1, 1)), np.zeros((1, 1)), np.zeros((1, 0), np.int64))
    lagrangian = Lagrangian(case.network, relaxation, rows)
    ascent = Ascent(lagrangian, first_choice(lagrangian), AscentOptions(steps=100, decay=0.98))
    ascent.run(enough=np.inf)
    return max(crown(case), float(proven(relaxation, rows, ascent.best).bound[0]))


def intervals(case: Case) -> list[Interval]:
    return [Interval(low[None, :], high[None, :]) for low, high in case.bounds]


def lp(case: Case) -> float:
    (outcome,) = relaxed_margins(case.network, case.box, case.bounds, [open_conjunction(case)], NEVER)
    return outcome.bound + open_threshold(case)


def sdp(case: Case) -> float:
    (outcome,) = semidefinite_margins(case.network, case.box, case.bounds, [open_conjunction(case)], NEVER)
    return outcome.bound + open_threshold(case)


def exact(case: Case) -> float:
    outcome = exact_margin(case.network, case.box, case.bounds, open_conjunction(case), Deadline(120.0))
    return outcome.bound + open_threshold(case) if outcome.finished else np.nan


def open_threshold(case: Case) -> float:
    """A threshold that no output exceeds: no method stops before its optimum."""
    return float(case.bounds[-1][1][0]) + 0.5


def open_conjunction(case: Case) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(1, np.int64), np.array([open_threshold(case)])


METHODS: dict[str, Callable[[Case], float]] = {"CROWN": crown, "alpha": alpha, "LP": lp, "SDP": sdp, "exact": exact}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--least", type=int, default=40, help="unstable relus at least")
    parser.add_argument("--most", type=int, default=70)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    rng = np.random.default_rng(arguments.seed)
    print(
        f"{'sizes':18}{'unstable':>9}" + "".join(f"{name:>10}{'s':>7}" for name in METHODS) + "   closed: alpha LP SDP"
    )
    shares = []
    while len(shares) < arguments.count:
        sizes = SIZES[len(shares) % len(SIZES)]
        chosen = random_case(rng, sizes, arguments.least, arguments.most)
        if chosen is None:
            continue
        text, values = f"{'-'.join(map(str, sizes)):18}{chosen.unstable:9}", {}
        for name, method in METHODS.items():
            started = time.process_time()
            values[name] = method(chosen)
            text += f"{values[name]:10.4f}{time.process_time() - started:7.2f}"
        gap = values["exact"] - values["CROWN"]
        shares.append([(values[name] - values["CROWN"]) / gap for name in ("alpha", "LP", "SDP")])
        print(text + "   " + " ".join(f"{share:6.1%}" for share in shares[-1]), flush=True)
    mean, least = np.nanmean(shares, axis=0), np.nanmin(shares, axis=0)
    print("mean share of the gap closed:  alpha {:.1%}, LP {:.1%}, SDP {:.1%}".format(*mean))
    print("least share of the gap closed: alpha {:.1%}, LP {:.1%}, SDP {:.1%}".format(*least))


if __name__ == "__main__":
    main()
