"""A network over a box as a linear or mixed-integer program, given bounds on every node.

The relaxation of y = relu(x), l < 0 < u, is the triangle y >= 0, y >= x, y <= u (x - l) / (u - l) (Ehlers, arXiv
1705.01320; Wong & Kolter, arXiv 1711.00851); the exact form has a binary z, y <= u z and y <= x - l (1 - z) (Tjeng et
al., arXiv 1711.07356), whose relaxation is the same triangle. Other functions get supporting lines, products the
planes of McCormick. A ball of inputs becomes rows or a cone (`programs.ball_rows`).

Only entries that the outputs depend on become columns. An active relu shares its operand's column, an inactive one is
a constant, and so is every entry whose bounds coincide; an affine entry that only moves another one shares its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.network.functions.clip import Clip
from verifier.network.functions.relu import Relu
from verifier.network.functions.steps import Floor, Round, Step
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Identity, Selection
from verifier.programs.ball_rows import add_ball
from verifier.programs.cone import Cone, dependency_cone
from verifier.programs.program import ColumnBall, Program
from verifier.programs.rows import Entries, ProgramBuilder
from verifier.property.balls import Ball
from verifier.property.query import Box
from verifier.relaxations.lines import supporting_lines
from verifier.relaxations.products import product_planes
from verifier.relaxations.rectifier import relu_chord
from verifier.tolerances import LARGEST_VALUE, UNDERFLOW, gamma

LINES_PER_FUNCTION = 4
"""Supporting lines on each side of a smooth function's graph."""

Bounds = Sequence[tuple[np.ndarray, np.ndarray]]
"""For each node of a network a sound (lower, upper), float64, shape (size,), finite or infinite."""


class UnboundedRelaxation(Exception):
    """An entry that the outputs depend on has no finite bounds, so no program encloses the network."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """A program and where the network's input and outputs stand in it.

    Attributes:
        program: with a zero objective; its optimum over any objective on the outputs bounds the network's.
        inputs: the input's entries.
        outputs: the entries of the last node; a constant where its bounds coincide.
        box: of inputs.
        complete: whether the program describes the network exactly, up to its integers being integers.
    """

    program: Program
    inputs: Entries
    outputs: Entries
    box: Box
    complete: bool

    def point(self, x: np.ndarray) -> np.ndarray:
        """The input in the box, float64, shape (input_size,), of a solution `x` of the program."""
        low, high = self.box.lower, self.box.upper
        bounded = np.isfinite(low) & np.isfinite(high)  # the middle, for inputs that the outputs do not depend on
        inputs = np.where(bounded, low, 0.0) / 2 + np.where(bounded, high, 0.0) / 2
        if self.box.ball is not None:
            inputs = self.box.middle
        chosen = self.inputs.column >= 0
        inputs[chosen] = x[self.inputs.column[chosen]]
        return np.clip(inputs, low, high)


def encode(
    network: Network,
    box: Box,
    bounds: Bounds,
    exact: bool,
    kept: Mapping[int, np.ndarray] | None = None,
    touching: np.ndarray | None = None,
) -> Encoding:
    """Builds the triangle relaxation, or with `exact` the mixed-integer program, of `network` over `box`.

    Args:
        network: with NumPy weights; the outputs are the forms asked about.
        box: of inputs.
        bounds: sound on `box` (or on the part of it that is searched).
        exact: whether relus get a binary each, clips two, and steps, floors and roundings are whole numbers.
        kept: for some nodes entries that get a column even where the outputs do not depend on them, so that their
            bounds constrain the rest.
        touching: for a ball of norm 2, inputs at which tangents hold the program near it, shape (T, input_size);
            None where it is only told (`Program.ball`), for solvers that know cones.

    Raises:
        UnboundedRelaxation: where a needed entry has a bound that is infinite or beyond `tolerances.LARGEST_VALUE`.
        ValueError: where the bounds do not fit the network, are NaN, or cross.
    """
    writer = written(network, box, bounds, exact, kept)
    inputs, outputs = writer.entries[0], writer.entries[-1]
    within = None if box.ball is None else _column_ball(inputs, box.ball)
    if within is not None:
        live = inputs.column >= 0
        add_ball(writer.builder, within, None if touching is None else touching[:, live])
    program = replace(writer.builder.finish(), ball=within)
    return Encoding(program, inputs, outputs, box, complete=exact and not writer.relaxed)


def written(
    network: Network, box: Box, bounds: Bounds, exact: bool, kept: Mapping[int, np.ndarray] | None = None
) -> NetworkWriter:
    """The network's own columns and rows, for programs that ask more of it; arguments and errors are `encode`'s."""
    bounds = bounds_in_box(network, box, bounds)
    cone = dependency_cone(network, bounds, kept)
    require_finite(network, bounds, cone)
    writer = NetworkWriter(bounds, cone, exact)
    for k, node in enumerate(network.nodes):
        writer.add(k, node)
    return writer


def _column_ball(inputs: Entries, ball: Ball) -> ColumnBall | None:
    """The ball's shadow on the inputs that have columns; None where none has one, or all are held by their bounds."""
    live = inputs.column >= 0
    if not live.any() or ball.radius == 0:
        return None
    return ColumnBall(inputs.column[live], Ball(ball.centre[live], ball.radius, ball.norm))


def bounds_in_box(network: Network, box: Box, bounds: Bounds) -> list[tuple[np.ndarray, np.ndarray]]:
    """The bounds in float64, the input's intersected with the box.

    Raises:
        ValueError: where they do not fit the network, are NaN, or cross.
    """
    if len(bounds) != len(network.nodes):
        raise ValueError(f"{len(bounds)} bounds for {len(network.nodes)} nodes")
    pairs = [(np.asarray(low, np.float64), np.asarray(high, np.float64)) for low, high in bounds]
    pairs[0] = np.maximum(pairs[0][0], box.lower), np.minimum(pairs[0][1], box.upper)
    for k, ((low, high), node) in enumerate(zip(pairs, network.nodes, strict=True)):
        if low.shape != (node.size,) or high.shape != (node.size,):
            raise ValueError(f"node {k}: bounds of shapes {low.shape}, {high.shape} for {node.size} entries")
        if not (low <= high).all():
            raise ValueError(f"node {k}: bounds that are NaN or cross")
    return pairs


def require_finite(network: Network, bounds: Bounds, cone: Cone) -> None:
    """Checks that all entries that matter have finite bounds.

    Raises:
        UnboundedRelaxation: one has none.
    """
    for k, (low, high) in enumerate(bounds):
        loose = cone.live[k] & ((low < -LARGEST_VALUE) | (high > LARGEST_VALUE))
        if loose.any():
            kind = type(network.nodes[k]).__name__.lower()
            raise UnboundedRelaxation(f"{int(loose.sum())} entries of node {k} ({kind}) have no finite bounds")


class NetworkWriter:
    """Adds node after node to a builder.

    Attributes:
        builder: takes columns and rows.
        entries: of the nodes added so far.
        relaxed: whether a node was enclosed rather than described.
    """

    def __init__(self, bounds: Bounds, cone: Cone, exact: bool) -> None:
        self.bounds, self.cone, self.exact = bounds, cone, exact
        self.builder = ProgramBuilder()
        self.entries: list[Entries] = []
        self.relaxed = False

    def add(self, k: int, node: Node) -> None:
        lower, upper = self.bounds[k]
        fixed = lower == upper
        self.entries.append(Entries(np.full(node.size, -1), np.where(fixed, lower, 0.0)))
        live = np.flatnonzero(self.cone.live[k])
        if isinstance(node, Input):
            self._new_columns(k, live)
        elif isinstance(node, Affine):
            self._affine(k, node, live)
        elif isinstance(node, Product):
            self._product(k, node, live)
        elif isinstance(node.function, Relu):
            self._relu(k, node, live)
        elif isinstance(node.function, Clip):
            self._clip(k, node, node.function, live)
        elif self.exact and isinstance(node.function, Step | Floor | Round):
            self._steps(k, node, node.function, live)
        else:
            self._function(k, node, live)

    def _new_columns(self, k: int, live: np.ndarray, least: float = -np.inf, integral: bool = False) -> np.ndarray:
        lower, upper = self.bounds[k]
        columns = self.builder.columns(np.maximum(lower[live], least), upper[live], integral=integral)
        self.entries[k].column[live] = columns
        return columns

    def _share(self, k: int, live: np.ndarray, source: Entries) -> None:
        self.entries[k].column[live] = source.column
        self.entries[k].value[live] = source.value

    def _affine(self, k: int, node: Affine, live: np.ndarray) -> None:
        parts = [(rows, self.entries[i]) for i, rows in zip(node.operands, self.cone.rows[k], strict=True)]
        bias = np.asarray(node.bias, np.float64)[live]
        moved = np.zeros(len(live), bool)
        if all(isinstance(m, Identity | Selection) for m in node.maps):
            count = sum(np.diff(rows.indptr) for rows, _ in parts)
            moved = (count == 1) & (np.asarray(node.bias_magnitude)[live] == 0)  # a sum of 0 may have been rounded
            for rows, source in parts:
                chosen = np.flatnonzero(moved & (np.diff(rows.indptr) == 1))
                self._share(k, live[chosen], source[rows.indices[rows.indptr[chosen]]])
        rest = np.flatnonzero(~moved)
        if len(rest):
            error = self._affine_error(node)[live[rest]]
            target = self._new_columns(k, live[rest])
            self.builder.rows_of_matrix(target, [(rows[rest], source) for rows, source in parts], bias[rest], error)

    def _affine_error(self, node: Affine) -> np.ndarray:
        """What rounding of weights and constants can move the node's value by, shape (size,)."""
        size = np.asarray(node.bias_magnitude, np.float64)
        for i, linear_map in zip(node.operands, node.maps, strict=True):
            magnitude = np.maximum(np.abs(self.bounds[i][0]), np.abs(self.bounds[i][1]))
            # An entry without finite bounds is one that no live entry depends on; 0 keeps inf * 0 out of the sums.
            magnitude = np.where(magnitude <= LARGEST_VALUE, magnitude, 0.0)
            size = size + linear_map.magnitude.apply(magnitude[None, :])[0]
        terms = sum(m.terms for m in node.maps) + len(node.maps) + 2
        return gamma(terms) * size + UNDERFLOW

    def _relu(self, k: int, node: Elementwise, live: np.ndarray) -> None:
        x, (lower, upper) = self.entries[node.operands[0]], self.bounds[node.operands[0]]
        active = live[lower[live] >= 0]
        self._share(k, active, x[active])
        unstable = live[(lower[live] < 0) & (upper[live] > 0)]
        if not len(unstable):
            return
        low, high, x = lower[unstable], upper[unstable], x[unstable]
        column = self._new_columns(k, unstable, least=0.0)
        y, one = Entries(column, np.zeros(len(column))), np.ones(len(column))
        add = self.builder.rows_of_terms
        add([(one, y), (-one, x)], 0.0, np.inf)
        if self.exact:
            binary = self.builder.columns(np.zeros(len(column)), one, integral=True)
            z = Entries(binary, np.zeros(len(column)))
            add([(one, y), (-high, z)], -np.inf, 0.0)
            add([(one, y), (-one, x), (-low, z)], -np.inf, -low)
        else:
            slope, intercept = relu_chord(low, high, np.ones(len(column), bool))
            add([(one, y), (-slope, x)], -np.inf, intercept)

    def _clip(self, k: int, node: Elementwise, clip: Clip, live: np.ndarray) -> None:
        """The hull; if exact, binaries for whether x is above the lower clip, and above the upper one."""
        x, (lower, upper) = self.entries[node.operands[0]], self.bounds[node.operands[0]]
        straight = (lower[live] >= clip.low) & (upper[live] <= clip.high)
        self._share(k, live[straight], x[live[straight]])
        bent = live[~straight]
        self._new_columns(k, bent)
        self._lines(k, node, bent)
        known = bent[np.isfinite(lower[bent]) & np.isfinite(upper[bent])] if self.exact else bent[:0]
        self.relaxed = self.relaxed or len(known) < len(bent)
        if not len(known):
            return
        one, add = np.ones(len(known)), self.builder.rows_of_terms
        x, y = x[known], self.entries[k][known]
        low, high = lower[known], upper[known]
        risen = self._binary(low < clip.low, otherwise=1.0)
        stopped = self._binary(high > clip.high, otherwise=0.0)
        span = clip.high - clip.low  # coefficients are rounded so that the rows allow more
        add([(one, y), (-np.nextafter(span, np.inf) * one, risen)], -np.inf, clip.low)
        add([(one, y), (-np.nextafter(span, -np.inf) * one, stopped)], clip.low, np.inf)
        before = np.maximum(np.nextafter(clip.low - low, np.inf), 0.0)
        beyond = np.maximum(np.nextafter(high - clip.high, np.inf), 0.0)
        add([(one, y), (-one, x), (before, risen)], -np.inf, before)
        add([(one, y), (-one, x), (beyond, stopped)], 0.0, np.inf)

    def _steps(self, k: int, node: Elementwise, function: Step | Floor | Round, live: np.ndarray) -> None:
        """Whole numbers y: of a step x <= u y and x >= l (1 - y), of floor y <= x <= y + 1, of round |x - y| <= 1/2.

        At a jump these hold on both sides, so that the program knows a little less than the network. What rounds to a
        type that its operand may leave is anything that the type holds, and keeps to its interval alone.
        """
        self._new_columns(k, live, integral=True)
        self.relaxed = self.relaxed or bool(len(live))
        self._lines(k, node, live)
        live = live[self.entries[node.operands[0]].column[live] >= 0]
        lower, upper = self.bounds[node.operands[0]]
        if isinstance(function, Round):
            live = live[function.keeps_within(lower[live], upper[live])]
        x = self.entries[node.operands[0]][live]
        y, one, add = self.entries[k][live], np.ones(len(live)), self.builder.rows_of_terms
        if isinstance(function, Step):
            low, high = np.minimum(lower[live], 0.0), np.maximum(upper[live], 0.0)
            add([(one, x), (-high, y)], -np.inf, 0.0)
            add([(one, x), (low, y)], low, np.inf)
        else:
            reach = (0.0, 1.0) if isinstance(function, Floor) else (-0.5, 0.5)
            add([(one, x), (-one, y)], reach[0], reach[1])

    def _binary(self, open_ones: np.ndarray, otherwise: float) -> Entries:
        """A binary for each entry that is open, a constant for the others."""
        column, value = np.full(len(open_ones), -1), np.where(open_ones, 0.0, otherwise)
        count = int(open_ones.sum())
        column[open_ones] = self.builder.columns(np.zeros(count), np.ones(count), integral=True)
        return Entries(column, value)

    def _function(self, k: int, node: Elementwise, live: np.ndarray) -> None:
        self._new_columns(k, live)
        self.relaxed = self.relaxed or bool(len(live))
        self._lines(k, node, live)

    def _lines(self, k: int, node: Elementwise, live: np.ndarray) -> None:
        """Supporting lines of a function as rows, where its operand has a column."""
        x, (lower, upper) = self.entries[node.operands[0]], self.bounds[node.operands[0]]
        live = live[x.column[live] >= 0]
        if not len(live):
            return
        below, above = supporting_lines(node.function, lower[live], upper[live], LINES_PER_FUNCTION)
        for lines, is_lower in ((below, True), (above, False)):
            for slope, intercept in lines:
                known = np.isfinite(slope) & np.isfinite(intercept)
                chosen, slope, intercept = live[known], slope[known], intercept[known]
                terms = [(np.ones(len(chosen)), self.entries[k][chosen]), (-slope, x[chosen])]
                sides = (intercept, np.inf) if is_lower else (-np.inf, intercept)
                self.builder.rows_of_terms(terms, *sides)

    def _product(self, k: int, node: Product, live: np.ndarray) -> None:
        first, second = (self.entries[i][live] for i in node.operands)
        ends = [end[live] for i in node.operands for end in self.bounds[i]]
        self._new_columns(k, live)
        self.relaxed = self.relaxed or bool(((first.column >= 0) & (second.column >= 0)).any())
        planes = product_planes(*ends)
        for plane in (*planes.lower, *planes.upper):
            terms = [(np.ones(len(live)), self.entries[k][live]), (-plane.x_slope, first), (-plane.y_slope, second)]
            sides = (plane.intercept, np.inf) if plane in planes.lower else (-np.inf, plane.intercept)
            self.builder.rows_of_terms(terms, *sides)
