"""From a question that was answered `unsat` to a file that shows why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verifier.checker.bounds import Weak
from verifier.checker.claim import Disjunct, read_property
from verifier.checker.files import digest_of_model, digest_of_property
from verifier.checker.graph import Unreadable
from verifier.checker.model import read_model
from verifier.checker.proof import write_proof
from verifier.deadline import Deadline
from verifier.proofs.draft import Draft, GivenUp
from verifier.proofs.refine import Refiner
from verifier.proofs.trail import Trails
from verifier.proofs.work import Work

if TYPE_CHECKING:
    from verifier.search.record import InputCuts


def proof_of(
    network: Path,
    prop: Path,
    deadline: Deadline,
    trails: Sequence[InputCuts] = (),
    progress: Callable[[int], None] = lambda n: None,
    threads: int = 1,
) -> bytes:
    """The contents of a proof's file.

    Args:
        network: ONNX model.
        prop: VNN-LIB property, answered `unsat`.
        deadline: when to give up.
        trails: cuts by which a search found the answer, if it kept them.
        progress: is told of the cases so far.
        threads: processes that a search may use.

    Raises:
        GivenUp: there is none, for want of time or because the checker does not know something.
    """
    try:
        graph, claim = read_model(network), read_property(prop)
        if [claim.inputs, claim.outputs] != [graph.nodes[k].size for k in (0, graph.output)]:
            raise GivenUp("the property has not as many inputs and outputs as the model")
        if not all(disjunct.rows for disjunct in claim.disjuncts):
            raise GivenUp("a disjunct has no row over outputs alone, which is what proofs go by")
        draft = Draft()
        work = Work(graph, claim.disjuncts, draft, deadline, progress, threads)
        Refiner(work, Trails(trails)).prove(_by_box(claim.disjuncts))
    except Unreadable as error:
        raise GivenUp(f"the checker does not know all of it ({error})") from error
    except Weak as error:
        raise GivenUp(str(error)) from error
    return write_proof(draft.proof(digest_of_model(network), digest_of_property(prop)))


def _by_box(disjuncts: Sequence[Disjunct]) -> list[list[int]]:
    """The disjuncts in groups of the same box."""
    groups: dict[bytes, list[list[int]]] = defaultdict(list)
    for d, disjunct in enumerate(disjuncts):
        # Rational numbers take long to hash.
        near = groups[np.array([disjunct.lower, disjunct.upper], float).tobytes()]
        for group in near:
            first = disjuncts[group[0]]
            if (first.lower, first.upper) == (disjunct.lower, disjunct.upper):
                group.append(d)
                break
        else:
            near.append([d])
    return [group for near in groups.values() for group in near]
