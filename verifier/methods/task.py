"""The question a method works on, and what has been found out about it so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.enclosure import Interval
from verifier.deadline import Deadline
from verifier.evidence.replay import Replay
from verifier.methods.enclosures import Enclosures
from verifier.methods.options import Options, example_array
from verifier.methods.remarks import fixed, of_classes, of_proof
from verifier.network.graph import Network
from verifier.network.means import centred_means
from verifier.network.quotients import centred_quotients
from verifier.network.stepped import has_jumps
from verifier.programs.solvers.registry import DEFAULT, solver_named
from verifier.property.forms import with_forms
from verifier.property.nearest import with_nearest
from verifier.property.query import Box, Query
from verifier.property.relations import with_differences
from verifier.property.whole import with_whole_ends
from verifier.verdict import Progress, Status, Verdict, Witness

if TYPE_CHECKING:
    from verifier.attacks.pgd import Best
    from verifier.programs.solvers.backend import Backend
    from verifier.search.record import InputCuts


@dataclass(eq=False)
class Task:
    """One network, one query, one run of a method: the fixed question and the growing answer.

    Attributes:
        network, options: the question.
        query: the question, its inputs fixed to decimals widened to the nearest floats (`property.nearest`), its boxes
            cut into the cells of inputs that matter through jumps alone (`methods.cells`); where inputs
            are related, in coordinates of their differences (`property.relations`).
        deadline: counts from the making of the task.
        margins: for each disjunct the best proven lower bound of its margin, shape (D,).
        cell_margins: where boxes were cut into cells, each disjunct's margin in the middle of its cell as computed,
            ascending, shape (D,).
        open: which disjuncts are not yet excluded, booleans, shape (D,).
        witness: a violation, once found.
        notes: remarks for the user.
        on_stage: called with the name of every stage before it starts, to show progress.
        explanation: what a plan chose, and why.
        history: how the searches went, in order of time.
        trails: the cuts that searches made, for those who write proofs.
        on_progress: called with every new entry of the history.
        reached: the smallest margin that an input is known to reach; looked for in thorough tasks only.
        nearest: the lowest margins that attacks have reached, and where; None before the first attack.
        minimisers: of some disjuncts an input where their relaxation was least, shape (input_size,).
        convolves_by_torch: whether torch's kernels compute the convolutions of `forms`.
    """

    network: Network
    query: Query
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.deadline = Deadline(self.options.timeout)
        if self.query.change is None:  # what is about coordinates already is no longer about inputs
            self.query = with_nearest(with_whole_ends(self.query, self.network.inputs), self.network.inputs)
            starts = np.cumsum([0, *(part.input_size for part in self.network.parts[:-1])])
            self.query = with_differences(self.query, starts.tolist())
        self._jumps = has_jumps(self.network)
        self.cell_margins: np.ndarray | None = None
        if self._jumps:
            from verifier.methods.cells import with_cells

            self.query, self.cell_margins = with_cells(self.query, self.network, self.deadline)
        count = len(self.query.disjuncts)
        self.margins = np.full(count, -math.inf)
        self.open = np.ones(count, bool)
        self.witness: Witness | None = None
        self.notes: list[str] = [note for note in (self.network.note, self.query.note) if note]
        self.on_stage: Callable[[str], None] = lambda name: None
        self.explanation: list[str] = []
        self.history: list[Progress] = []
        self.trails: list[InputCuts] = []
        self.on_progress: Callable[[Progress], None] = lambda progress: None
        self.reached = math.inf
        self.nearest: Best | None = None
        self.minimisers: dict[int, np.ndarray] = {}
        self.convolves_by_torch = False
        self._seeds = np.random.SeedSequence(self.options.seed)

    @cached_property
    def replay(self) -> Replay:
        return Replay(self.network, self.options.witness_tolerance)

    @cached_property
    def solver(self) -> Backend | None:
        """The solver that was asked for; None is HiGHS, which is loaded only where it is needed.

        Raises:
            UsageError: it is not to be had.
        """
        return None if self.options.solver == DEFAULT else solver_named(self.options.solver)

    @cached_property
    def example(self) -> Array:
        """An empty float64 array of the library and device that bounds and attacks run on."""
        return example_array(self.options.device)

    @cached_property
    def forms(self) -> Network:
        """The network with the query's linear forms as outputs, quotients and means centred, on the task's device.

        Where it has jumps, inputs that the query fixes are folded in, and comparisons of comparisons resolved.
        """
        forms = with_forms(self.network, self.query.patterns, self.query.change)
        if self._jumps:
            from verifier.network.two_valued import with_known_inputs, with_two_valued
            from verifier.network.whole import with_room_for_rounding

            forms = self._with_types_kept(with_known_inputs(forms, self.query.fixed))
            forms = with_two_valued(with_room_for_rounding(forms))
        forms = centred_quotients(forms, lambda: self.query.centre)
        return centred_means(forms, lambda: self.query.centre).like(self.example)

    def _with_types_kept(self, forms: Network) -> Network:
        """The forms without the ends of integer types that nothing in the boxes leaves."""
        from verifier.bounds.interval import interval_bounds
        from verifier.network.whole import has_types, with_types_kept

        boxes = list({id(d.box): d.box for d in self.query.disjuncts}.values())
        if not boxes or not has_types(forms):
            return forms
        ends = np.min([b.lower for b in boxes], axis=0), np.max([b.upper for b in boxes], axis=0)
        with np.errstate(all="ignore"):
            bounds = interval_bounds(forms, *(end[None] for end in ends))
        return with_types_kept(forms, [(b.lower[0], b.upper[0]) for b in bounds])

    @cached_property
    def enclosures(self) -> Enclosures:
        """The bounds of every node of `forms` over boxes; in thorough tasks it is counted how open they are."""
        return Enclosures(self.forms, self.example, self.deadline, self.options.thorough)

    @cached_property
    def example32(self) -> Array:
        """An empty float32 array of the same library and device, for ascents, on which no bound rests."""
        xp = namespace(self.example)
        return xp.astype(self.example, xp.float32)

    @property
    def descended(self) -> tuple[Network, Array]:
        """The network that attacks work on, and an example of its arrays: in float32 where torch's kernels convolve.

        Elsewhere float64 costs an attack little, and what comes near a threshold is told apart better.
        """
        if not self.convolves_by_torch:
            return self.forms, self.example
        return self._forms32, self.example32

    @cached_property
    def _forms32(self) -> Network:
        return self.forms.like(self.example32)

    def convolve_by_torch(self) -> None:
        """Has torch's kernels compute the convolutions of `forms` from here on."""
        self.convolves_by_torch = True
        self.forms = self.enclosures.network = self.forms.with_torch()

    @property
    def tightens(self) -> bool:
        """Whether programs sharpen the bounds of neurons first."""
        return self.options.tighten != "none"

    @property
    def settled(self) -> bool:
        """Whether the verdict is known."""
        return self.witness is not None or not self.open.any()

    def random(self) -> np.random.Generator:
        """A new generator, independent of those handed out before."""
        return np.random.default_rng(self._seeds.spawn(1)[0])

    def open_boxes(self) -> list[tuple[Box, list[int]]]:
        """The boxes that still have open disjuncts, each with those."""
        groups: dict[int, tuple[Box, list[int]]] = {}
        for d in np.flatnonzero(self.open):
            box = self.query.disjuncts[d].box
            groups.setdefault(id(box), (box, []))[1].append(int(d))
        return list(groups.values())

    def open_conjunctions(self) -> list[tuple[Box, list[int]]]:
        """Like `open_boxes`, without the disjuncts that have no rows, which no bound can exclude."""
        groups = ((box, [d for d in disjuncts if self.query.disjuncts[d].rows]) for box, disjuncts in self.open_boxes())
        return [(box, disjuncts) for box, disjuncts in groups if disjuncts]

    def bounded(self, disjuncts: list[int], lower: np.ndarray) -> None:
        """Takes note of lower bounds on all forms over the box that `disjuncts` share, shape (K,)."""
        patterns = self.query.patterns
        for d in disjuncts:
            self.margins[d] = max(self.margins[d], patterns.margin(d, lower))
            if patterns.excluded(d, lower):
                self.open[d] = False

    def margin_bounded(self, disjunct: int, margin: float) -> None:
        """Takes note of a lower bound on one disjunct's margin; a positive one excludes it."""
        self.margins[disjunct] = max(self.margins[disjunct], margin)
        if margin > 0:
            self.open[disjunct] = False

    def accepts(self, disjunct: int, point: np.ndarray) -> bool:
        """Whether a point is a witness for a disjunct; if so, it settles the task."""
        return self.judge(disjunct, point) is not None

    def explain(self, text: str) -> None:
        """Takes note of a choice and its reason, for those who ask."""
        self.explanation.append(text)

    def advanced(self, open_count: int, explored: int, bound: float) -> None:
        """Takes note of the state of a search."""
        progress = Progress(self.deadline.elapsed, open_count, explored, bound)
        self.history.append(progress)
        self.on_progress(progress)

    def judge(self, disjunct: int, point: np.ndarray) -> Witness | None:
        """The witness that a point makes for a disjunct after rounding and replay; it settles the task."""
        witness = self.replay.judge(self.query.disjuncts[disjunct], point)
        if witness is not None:
            self.witness = witness
            if widened := self.query.disjuncts[disjunct].box.widened:
                self.notes.append(f"{fixed(widened)}; the counterexample has the nearest that it can")
            if self.options.thorough and witness.distance == 0 and self.query.change is None:
                self.reaches(disjunct, witness.x.astype(np.float64))
            if self.options.witness_tolerance > 0:
                told = f"the witness was accepted with a tolerance of {self.options.witness_tolerance:g}"
                self.notes.append(f"{told}; it lies {witness.distance:g} outside the input set")
        return witness

    def reaches(self, disjunct: int, point: np.ndarray) -> float:
        """Takes note of the margin of a disjunct at an input in its box, float64, shape (input_size,).

        An input outside the disjunct's ball, which programs may only nearly know, is moved into it.
        """
        box = self.query.disjuncts[disjunct].box
        if box.ball is not None:
            point = box.ball.retracted(point[None], box.lower, box.upper)[0]
        forms = to_numpy(self.forms.forward(convert_like(self.example)(point[None])))[0]
        margin = self.query.patterns.margin(disjunct, forms)
        if not math.isnan(margin):
            self.reached = min(self.reached, margin)
        return margin

    def sharpened(self, box: Box) -> list[Interval] | None:
        """The bounds of every node over one box where programs have sharpened them, else None."""
        return self.enclosures.known(box) if self.tightens else None

    def verdict(self, method: str) -> Verdict:
        """The answer as it stands."""
        bound = float(self.margins.min()) if len(self.margins) else None
        if self.witness is not None:
            status = Status.SAT
        elif not self.open.any():
            status = Status.UNSAT
        else:
            status = Status.TIMEOUT if self.deadline.expired else Status.UNKNOWN
        if bound == -math.inf:
            bound = None
        # Why a witness could not be found is of no interest once there is a proof that there is none.
        notes = of_classes(self.query, self.witness, self.replay) if self.query.kept else []
        notes += of_proof(self.network, self.query) if status is Status.UNSAT else self.notes
        reached = self.reached if math.isfinite(self.reached) else None
        detail = "; ".join(dict.fromkeys(notes))
        return Verdict(status, method, bound, self.witness, self.deadline.elapsed, detail, reached)


def host(intervals: list[Interval]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The intervals of one box as NumPy vectors, shape (size,)."""
    return [(to_numpy(i.lower)[0], to_numpy(i.upper)[0]) for i in intervals]


Stage = Callable[[Task], None]
"""Works on a task until it is settled, the stage has nothing left to try, or the deadline has come."""
