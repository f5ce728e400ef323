"""Times the triangle LP of a fully connected network three ways: ours, plain CVXPY and plain PuLP, on HiGHS each.

All three get the same intermediate bounds and minimise the same linear forms (the property's margins), one after the
other. CVXPY is written with matrix expressions and a parametrised objective, so that it compiles once; PuLP with one
`lpSum` a neuron. "Build" ends where the solver could start: for us with the model in HiGHS, for CVXPY with the
compiled problem data, for PuLP with the model object. Optimal values have to agree to 1e-5 of their size.

    python benchmarks/triangle_lp.py [NETWORK PROPERTY] [--repeats 3] [--margins 9]

Without arguments it takes mnist_fc 256x4 at eps 0.03 from the VNN-COMP instances (the folder named by VERIFIER_VNNCOMP,
else ../shared/vnncomp beside the repository).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verifier.bounds.linear import linear_bounds
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Network
from verifier.programs.encode import encode
from verifier.programs.safe_bound import safe_bound
from verifier.programs.solvers.highs import LpSession
from verifier.property.forms import with_forms
from verifier.property.query import Box
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property

NEVER = Deadline()


@dataclass(frozen=True, eq=False)
class Question:
    """A chain of affine nodes and relus over a box; one lower bound per output is wanted."""

    network: Network
    box: Box
    bounds: list[tuple[np.ndarray, np.ndarray]]
    count: int

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """(weight, bias) of each affine node, None for a relu, in order."""
        chain: list[tuple[np.ndarray, np.ndarray] | None] = []
        for k, node in enumerate(self.network.nodes[1:]):
            if node.operands != (k,):
                raise SystemExit("this benchmark takes networks without skip connections")
            chain.append((node.maps[0].to_sparse().toarray(), node.bias) if isinstance(node, Affine) else None)
        return chain


@dataclass(frozen=True)
class Timing:
    """Seconds to build, seconds to solve all objectives, and the optimal values."""

    build: float
    solve: float
    values: tuple[float, ...]


def ours(question: Question) -> Timing:
    """The verifier's own encoding and session; the values are its safe bounds."""
    start = time.perf_counter()
    encoding = encode(question.network, question.box, question.bounds, exact=False)
    session = LpSession(encoding.program)
    built = time.perf_counter()
    values = []
    for form in range(question.count):
        cost = np.zeros(len(encoding.program.cost))
        cost[encoding.outputs.column[form]] = 1.0
        program = replace(encoding.program, cost=cost)
        values.append(safe_bound(program, cost, session.solve(program, NEVER).multipliers))
    return Timing(built - start, time.perf_counter() - built, tuple(values))


def plain_cvxpy(question: Question) -> Timing:
    """Matrix expressions per layer, the objective a parameter."""
    import cvxpy as cp

    layers = question.layers
    start = time.perf_counter()
    value: cp.Expression = cp.Variable(question.network.input_size, bounds=[question.box.lower, question.box.upper])
    constraints = []
    for layer, (lower, upper) in zip(layers, question.bounds, strict=False):
        if layer is not None:
            z = cp.Variable(len(layer[1]))
            constraints.append(z == layer[0] @ value + layer[1])
            value = z
            continue
        y = cp.Variable(len(lower), nonneg=True)
        active, inactive = np.flatnonzero(lower >= 0), np.flatnonzero(upper <= 0)
        unstable = np.flatnonzero((lower < 0) & (upper > 0))
        if len(active):
            constraints.append(y[active] == value[active])
        if len(inactive):
            constraints.append(y[inactive] == 0)
        if len(unstable):
            low, high = lower[unstable], upper[unstable]
            constraints.append(y[unstable] >= value[unstable])
            constraints.append(y[unstable] <= cp.multiply(high / (high - low), value[unstable] - low))
        value = y
    weights = np.eye(question.network.output_size)
    objective = cp.Parameter(question.network.output_size, value=weights[0])
    problem = cp.Problem(cp.Minimize(objective @ value), constraints)
    problem.get_problem_data(cp.HIGHS)
    built = time.perf_counter()
    values = []
    for form in range(question.count):
        objective.value = weights[form]
        # CVXPY 1.9's warm start hands HiGHS a solution without its basis, which takes minutes instead of a second.
        values.append(float(problem.solve(solver=cp.HIGHS, warm_start=False)))
    return Timing(built - start, time.perf_counter() - built, tuple(values))


def plain_pulp(question: Question) -> Timing:
    """One variable, one `lpSum` and up to three constraints a neuron."""
    import pulp

    layers = question.layers
    start = time.perf_counter()
    problem = pulp.LpProblem("triangle", pulp.LpMinimize)
    ends = zip(question.box.lower.tolist(), question.box.upper.tolist(), strict=True)
    value = [problem.add_variable(f"x_{i}", low, high) for i, (low, high) in enumerate(ends)]
    for k, (layer, (lower, upper)) in enumerate(zip(layers, question.bounds, strict=False)):
        if layer is not None:
            z = [problem.add_variable(f"z_{k}_{i}") for i in range(len(layer[1]))]
            for entry, row, bias in zip(z, layer[0].tolist(), layer[1].tolist(), strict=True):
                terms = (weight * operand for weight, operand in zip(row, value, strict=True))
                problem += entry == pulp.lpSum(terms) + bias
            value = z
            continue
        y = [problem.add_variable(f"y_{k}_{i}", 0) for i in range(len(lower))]
        for entry, operand, low, high in zip(y, value, lower.tolist(), upper.tolist(), strict=True):
            if low >= 0:
                problem += entry == operand
            elif high <= 0:
                problem += entry == 0
            else:
                problem += entry >= operand
                problem += entry <= high / (high - low) * (operand - low)
        value = y
    built = time.perf_counter()
    values = []
    for form in range(question.count):
        problem.setObjective(value[form])
        problem.solve(pulp.HiGHS(msg=False))
        values.append(float(pulp.value(problem.objective)))
    return Timing(built - start, time.perf_counter() - built, tuple(values))


def default_instance() -> tuple[Path, Path]:
    """mnist_fc 256x4, image 0, eps 0.03."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "vnncomp"
    folder = Path(os.environ.get("VERIFIER_VNNCOMP", beside)) / "mnist_fc"
    return folder / "mnist-net_256x4.onnx", folder / "prop_0_0.03.vnnlib.gz"


def question_of(network_path: Path, property_path: Path, margins: int) -> Question:
    network = load_network(network_path)
    query = load_property(property_path, network)
    forms, box = with_forms(network, query.patterns), query.disjuncts[0].box
    intervals = linear_bounds(forms, box.lower[None, :], box.upper[None, :])
    bounds = [(interval.lower[0], interval.upper[0]) for interval in intervals]
    return Question(forms, box, bounds, min(margins, query.patterns.count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="NETWORK PROPERTY")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--margins", type=int, default=9, help="how many forms to minimise")
    arguments = parser.parse_args()
    question = question_of(*(arguments.paths or default_instance()), arguments.margins)
    unstable = sum(int(((low < 0) & (high > 0)).sum()) for low, high in question.bounds[1:-1])
    print(f"{question.count} margins, {unstable} entries of hidden nodes with both signs, {arguments.repeats} repeats")
    ways: dict[str, Callable[[Question], Timing]] = {"ours": ours, "cvxpy": plain_cvxpy, "pulp": plain_pulp}
    reference: Timing | None = None
    print(f"{'':8}{'build s':>10}{'ratio':>8}{'solve s':>10}{'ratio':>8}{'total s':>10}{'ratio':>8}")
    for name, way in ways.items():
        way(replace(question, count=1))  # imports and caches
        timings = [way(question) for _ in range(arguments.repeats)]
        build, solve = (statistics.median(getattr(t, part) for t in timings) for part in ("build", "solve"))
        reference = reference or Timing(build, solve, timings[0].values)
        ratios = build / reference.build, solve / reference.solve, (build + solve) / (reference.build + reference.solve)
        print(
            f"{name:8}{build:10.4f}{ratios[0]:8.1f}{solve:10.3f}{ratios[1]:8.1f}{build + solve:10.3f}{ratios[2]:8.1f}",
            flush=True,
        )
        for mine, theirs in zip(reference.values, timings[0].values, strict=True):
            if abs(mine - theirs) > 1e-5 * max(1.0, abs(mine)):
                raise SystemExit(f"{name}: {theirs} where ours is {mine}")
    print(f"all optimal values agree to 1e-5; smallest margin {min(reference.values) if reference else 0:.6f}")


if __name__ == "__main__":
    main()
