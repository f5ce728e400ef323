"""The question a method works on, and what has been found out about it so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.arguments import TIMEOUT, of_type, real, whole
from verifier.arrays import Array, convert_like, to_numpy
from verifier.bounds.enclosure import Interval
from verifier.deadline import Deadline
from verifier.errors import Argument, UsageError, missing_package
from verifier.evidence.replay import Replay
from verifier.network.graph import Network
from verifier.network.quotients import centred_quotients
from verifier.programs.solvers.registry import DEFAULT, solver_named
from verifier.property.forms import with_forms
from verifier.property.nearest import with_nearest
from verifier.property.query import BY_NETWORK, Box, Query
from verifier.verdict import Progress, Status, Verdict, Witness

if TYPE_CHECKING:
    from verifier.programs.solvers.backend import Backend

FORWARD_INPUTS = 32
"""Varying inputs up to which forward linear bounds come first: they leave fewer entries to bound backward. In deep
networks zonotopes leave fewer still: CROWN of cifar_biasfield 24 takes 7.3 s of CPU after them, 21.5 s otherwise."""


TIGHTEN = ("none", "lp", "milp")
"""The programs by which the bounds of all neurons may be sharpened before a method uses them."""


@dataclass(frozen=True)
class Options:
    """What a user may set for any method.

    Attributes:
        timeout: wall time allowed, seconds; `math.inf` for no limit.
        seed: of every random choice.
        device: where arrays live: ``"cpu"`` (NumPy), or a torch device such as ``"torch:cpu"`` or ``"cuda"``.
        witness_tolerance: how far a witness may lie outside the box and exceed the rows; 0.0 is exact.
        memory: what a search may keep, in megabytes; it narrows before it would take more.
        threads: processor cores that a search works on, with a process each.
        solver: of linear and mixed-integer programs, as `verifier solvers` lists them.
        tighten: whether, and by which programs, bounds of neurons are sharpened first.
        tighten_share: the part of the time that this may take, above 0 and at most 1.
        thorough: whether bounds are taken as far as a method can rather than until they decide, and what comparisons
            want besides is taken note of.
    """

    timeout: float = TIMEOUT
    seed: int = 0
    device: str = "cpu"
    witness_tolerance: float = 0.0
    memory: float = 4000.0
    threads: int = 2
    solver: str = DEFAULT
    tighten: str = "none"
    tighten_share: float = 0.3
    thorough: bool = False

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: one is out of range or no number.
        """
        if not real(self.timeout, "timeout") > 0:
            raise UsageError(f"a timeout of {self.timeout} s", Argument("timeout"), "give a positive number of seconds")
        if whole(self.seed, "seed") < 0:
            raise UsageError(f"a seed of {self.seed}", Argument("seed"), "give a whole number from 0 on")
        of_type(self.device, str, "device", "give a name, such as 'cpu'")
        if not 0 <= real(self.witness_tolerance, "witness_tolerance") < math.inf:
            cause = f"a tolerance of {self.witness_tolerance}"
            raise UsageError(cause, Argument("witness_tolerance"), "give a number from 0 on")
        if not real(self.memory, "memory") > 0:
            raise UsageError(f"a memory of {self.memory} MB", Argument("memory"), "give a positive number of megabytes")
        if whole(self.threads, "threads") < 1:
            raise UsageError(f"{self.threads} threads", Argument("threads"), "give a whole number from 1 on")
        of_type(self.solver, str, "solver", "give a name, such as 'highs'")
        if self.tighten not in TIGHTEN:
            cause = f"tightening by {self.tighten!r}"
            raise UsageError(cause, Argument("tighten"), f"choose one of {', '.join(TIGHTEN)}")
        if not 0 < real(self.tighten_share, "tighten_share") <= 1:
            cause = f"a share of {self.tighten_share}"
            raise UsageError(cause, Argument("tighten_share"), "give a number above 0, at most 1")


@dataclass(eq=False)
class Task:
    """One network, one query, one run of a method: the fixed question and the growing answer.

    Attributes:
        network, options: the question.
        query: the question, its inputs fixed to decimals widened to the nearest floats (`property.nearest`).
        deadline: counts from the making of the task.
        margins: for each disjunct the best proven lower bound of its margin, shape (D,).
        open: which disjuncts are not yet excluded, booleans, shape (D,).
        witness: a violation, once found.
        notes: remarks for the user.
        on_stage: called with the name of every stage before it starts, to show progress.
        explanation: what a plan chose, and why.
        history: how the searches went, in order of time.
        on_progress: called with every new entry of the history.
        reached: the smallest margin that an input is known to reach; looked for in thorough tasks only.
        undecided: entries on whose bounds some function is not linear, over all boxes, as the method ended with them;
            None where nobody counted.
    """

    network: Network
    query: Query
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.query = with_nearest(self.query, self.network.inputs)
        count = len(self.query.disjuncts)
        self.deadline = Deadline(self.options.timeout)
        self.margins = np.full(count, -math.inf)
        self.open = np.ones(count, bool)
        self.witness: Witness | None = None
        self.notes: list[str] = [note for note in (self.network.note, self.query.note) if note]
        self.on_stage: Callable[[str], None] = lambda name: None
        self.explanation: list[str] = []
        self.history: list[Progress] = []
        self.on_progress: Callable[[Progress], None] = lambda progress: None
        self.reached = math.inf
        self._undecided: dict[int, int] = {}
        self._enclosures: dict[int, list[Interval]] = {}
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
        """The network with the query's linear forms as outputs, quotients centred, on the task's device."""
        forms = with_forms(self.network, self.query.patterns)
        return centred_quotients(forms, lambda: self.query.centre).like(self.example)

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
                self.notes.append(f"{_fixed(widened)}; the counterexample has the nearest that it can")
            if self.options.thorough and witness.distance == 0:
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

    def enclosed(self, boxes: Sequence[Box], intervals: Sequence[Interval]) -> None:
        """Takes note of how open the bounds of all nodes over boxes are, shape (N, size), where that is wanted."""
        if self.options.thorough:
            from verifier.bounds.layout import undecided

            counts = undecided(self.forms, intervals)
            self._undecided.update((id(box), int(n)) for box, n in zip(boxes, counts, strict=True))

    @property
    def undecided(self) -> int | None:
        for box in {id(d.box): d.box for d in self.query.disjuncts}.values():
            if self.options.thorough and id(box) not in self._undecided and id(box) in self._enclosures:
                self.enclosed([box], self._enclosures[id(box)])
        return sum(self._undecided.values()) if self._undecided else None

    def enclosure(self, box: Box) -> list[Interval]:
        """Linear bounds of every node of `forms` over one box, made once; arrays of shape (1, size) on the host."""
        if id(box) not in self._enclosures:
            self._enclosures[id(box)] = self._enclosed(box)
        return self._enclosures[id(box)]

    def _enclosed(self, box: Box) -> list[Interval]:
        from verifier.bounds import forward
        from verifier.bounds.linear import bounds_within
        from verifier.bounds.zonotope import zonotope_bounds

        convert = convert_like(self.example)
        ends = convert(box.lower[None, :]), convert(box.upper[None, :])
        known = None
        if int((box.lower < box.upper).sum()) <= FORWARD_INPUTS:
            deep = sum(node.size for node in self.forms.nodes) > forward.FORWARD_VALUES
            known = (zonotope_bounds if deep else forward.forward_bounds)(self.forms, *ends)
        return bounds_within(self.forms, Interval(*ends, box.ball), self.deadline, known)

    def tightened(self, box: Box, intervals: list[Interval]) -> None:
        """Takes note of better bounds of every node over one box."""
        self._enclosures[id(box)] = intervals

    def sharpened(self, box: Box) -> list[Interval] | None:
        """The bounds of every node over one box where programs have sharpened them, else None."""
        return self._enclosures.get(id(box)) if self.tightens else None

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
        notes = [*self._classes(), *(self._proof_notes() if status is Status.UNSAT else self.notes)]
        reached = self.reached if math.isfinite(self.reached) else None
        detail = "; ".join(dict.fromkeys(notes))
        return Verdict(status, method, bound, self.witness, self.deadline.elapsed, detail, reached)

    def _classes(self) -> list[str]:
        """Which classes are spoken of, where one is asked to be kept."""
        kept, witness = self.query.kept, self.witness
        if kept is None:
            return []
        told = [f"the sample's class is {kept.label}, as {kept.source} says"]
        if witness is None:
            return told
        leading = np.flatnonzero(witness.y == witness.y.max()).tolist()
        if len(leading) > 1:
            told.append(f"classes {' and '.join(map(str, leading))} tie at the counterexample")
        else:
            told.append(f"the counterexample's is {leading[0]}" if leading else "the counterexample has none")
        if kept.source != BY_NETWORK:
            with np.errstate(over="ignore"):
                own = int(np.argmax(self.replay.run(kept.sample.astype(np.float32))))
            if own != kept.label:
                told.append(f"the network gives the sample itself class {own}, which label={own} asks about")
        return told

    def _proof_notes(self) -> list[str]:
        """What to know of a proof."""
        widened = max((d.box.widened for d in self.query.disjuncts), default=0)
        nearest = f"{_fixed(widened)}; proved for the nearest that it can as well" if widened else ""
        remarks = [self.network.note, self.query.note, nearest]
        return [remark for remark in remarks if remark]


def _fixed(count: int) -> str:
    what = "an input is" if count == 1 else f"{count} inputs are"
    return f"{what} fixed to a number that the network's input type cannot hold"


def example_array(device: str) -> Array:
    """An empty float64 array on a device, `Options.device`.

    Raises:
        UsageError: there is no such device here.
    """
    if device == "cpu":
        return np.zeros(0)
    try:
        import torch
    except ImportError as error:
        raise missing_package(error) or error from error
    try:
        return torch.zeros(0, dtype=torch.float64, device=device.removeprefix("torch:"))
    except (RuntimeError, AssertionError) as error:  # torch raises either for a missing device
        cause = str(error).partition("\n")[0]
        raise UsageError(f"device {device!r} is not usable ({cause})", Argument("device"), "use cpu") from error


def host(intervals: list[Interval]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The intervals of one box as NumPy vectors, shape (size,)."""
    return [(to_numpy(i.lower)[0], to_numpy(i.upper)[0]) for i in intervals]


Stage = Callable[[Task], None]
"""Works on a task until it is settled, the stage has nothing left to try, or the deadline has come."""
