"""The MILP stage with solvers that stop early: what is left open is tried again with the time that is left over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from verifier import Options, Status, load_network, load_property
from verifier.deadline import Deadline
from verifier.methods import METHODS, Task, run
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates
from verifier.programs.solvers.highs import Highs
from verifier.programs.solvers.outcome import MilpOutcome, SolveStatus

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"


@dataclass(frozen=True)
class Hasty(Highs):
    """Stops at half of its first limit without an answer."""

    asked: list[float] = field(default_factory=list)

    def solve_milp(
        self,
        program: Program,
        deadline: Deadline,
        stop_above: float = np.inf,
        on_candidate: Candidates | None = None,
    ) -> MilpOutcome:
        self.asked.append(deadline.remaining)
        if len(self.asked) == 1:
            time.sleep(deadline.remaining / 2)
            return MilpOutcome(SolveStatus.STOPPED)
        return super().solve_milp(program, deadline, stop_above, on_candidate)


def test_a_solve_that_stopped_short_of_its_share_is_tried_again() -> None:
    network = load_network(SPECS / "onnx" / "digits_conv.onnx")
    query = load_property(SPECS / "vnnlib" / "digits_conv_close.vnnlib", network)
    task = Task(network, query, Options(timeout=20.0))
    task.solver = solver = Hasty()
    verdict = run(task, METHODS["milp"])
    assert verdict.status is Status.UNSAT
    assert verdict.detail == ""
    assert max(solver.asked[1:]) > solver.asked[0]
