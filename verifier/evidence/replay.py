"""Replays inputs in ONNX Runtime, the judge of every witness: what our own arithmetic says does not count."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import ModelError
from verifier.network.graph import Network, Port
from verifier.property.grid import FLOAT32, Grid
from verifier.property.query import Box, Disjunct
from verifier.property.whole import integral_entries
from verifier.runtime import run, session_of, widened, with_float32_ports
from verifier.verdict import Witness

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Replay:
    """Runs a network's own ONNX model and judges candidate witnesses.

    Args:
        network: read from a model, or made of such side by side (`Network.has_model`); each part runs by itself.
        tolerance: how far a witness may lie outside the box and exceed the rows, absolute; 0.0 is exact.

    Raises:
        ModelError: on first use, where ONNX Runtime does not accept the model.
    """

    def __init__(self, network: Network, tolerance: float = 0.0) -> None:
        self.network, self.tolerance = network, tolerance

    @cached_property
    def session(self) -> InferenceSession:
        model = self.network.model
        if any(_is_bfloat16(port) for port in (*self.network.inputs, *self.network.outputs)):
            model = with_float32_ports(model)
        return session_of(model, self.network.name)

    @cached_property
    def _parts(self) -> tuple[Replay, ...]:
        """Those of the networks that this one is made of; a network that stands there twice has one."""
        made = {id(part): Replay(part) for part in self.network.parts}
        return tuple(made[id(part)] for part in self.network.parts)

    @cached_property
    def grid(self) -> Grid:
        """The numbers that the network's inputs can be."""
        return Grid.of(self.network.inputs)

    @cached_property
    def _integral(self) -> np.ndarray:
        """Which inputs are of integer types, booleans, shape (input_size,)."""
        return integral_entries(self.network.inputs)

    def require_accepted(self) -> None:
        """Makes sure that the runtime takes and runs the model: nothing is proved of one that computes nothing.

        Raises:
            ModelError: it does not.
        """
        self.run(np.zeros(self.network.input_size, np.float32))

    def run(self, x: np.ndarray) -> np.ndarray:
        """The outputs for one float32 input vector, concatenated, as float64; shape (output_size,).

        An entry that is no number of its input's type is rounded to the nearest. Where the network is one row of a
        batch, every row of the batch is that input.

        Raises:
            ModelError: ONNX Runtime does not accept the model, cannot run it, or its outputs have other sizes than the
                network's.
        """
        feed, start = {}, 0
        if self._parts:
            return self._run_parts(x)
        for port in self.network.inputs:
            part = x[start : start + port.size]
            part = _fed(port, part).reshape(port.shape)
            feed[_name(port)] = np.repeat(part, port.batch, axis=0) if port.batch > 1 else part
            start += port.size
        ports = self.network.outputs
        values = run(self.session, [_name(port) for port in ports], feed, self.network.name)
        return np.concatenate([self._entries(port, y) for port, y in zip(ports, values, strict=True)])

    def _run_parts(self, x: np.ndarray) -> np.ndarray:
        ends = np.cumsum([part.network.input_size for part in self._parts])
        pieces = np.split(x, ends[:-1])
        return np.concatenate([part.run(piece) for part, piece in zip(self._parts, pieces, strict=True)])

    def _entries(self, port: Port, y: object) -> np.ndarray:
        if not isinstance(y, np.ndarray) or y.dtype.kind not in "fiub":
            raise ModelError(f"output '{port.name}' is no tensor of numbers in ONNX Runtime", self.network.name)
        value = y.astype(np.float64)
        if value.size != port.size * port.batch:
            cause = (
                f"output '{port.name}' has shape {value.shape} in ONNX Runtime, and {port.size * port.batch} entries"
            )
            raise ModelError(f"{cause} by the graph", self.network.name, "export the model again")
        return value.reshape(-1)[port.row * port.size : (port.row + 1) * port.size]

    def judge(self, disjunct: Disjunct, x: np.ndarray) -> Witness | None:
        """The witness that `x` (a vector of float64) gives after rounding into the disjunct's box, or None.

        The rows are evaluated exactly at the runtime's outputs. Where the disjunct's inputs are coordinates, the
        witness is the inputs that they stand for.
        """
        if disjunct.origin is not None:
            return self.judge(disjunct.origin.disjunct, disjunct.origin.inputs(x, self.grid))
        point = rounded_into(disjunct.box, np.where(self._integral, np.rint(x), x), self.grid)
        point = np.where(self._integral, np.rint(point), point)
        distance = disjunct.box.distance(point)
        if not distance <= self.tolerance:  # in this order NaN is refused
            return None
        y = self.run(point)
        return Witness(point, y, distance) if self._rows_hold(disjunct, point, y) else None

    def _rows_hold(self, disjunct: Disjunct, x: np.ndarray, y: np.ndarray) -> bool:
        if all(row.holds(x, y) for row in disjunct.rows):
            return True
        if self.tolerance == 0.0 or not np.isfinite(y).all():
            return False
        return all(row.excess(x, y) <= self.tolerance for row in disjunct.rows)


def _is_bfloat16(port: Port) -> bool:
    return port.dtype == "bfloat16"


def _fed(port: Port, part: np.ndarray) -> np.ndarray:
    """A vector as the session takes it; for bfloat16, which NumPy lacks, as float32 (`runtime.with_float32_ports`)."""
    if _is_bfloat16(port):
        return Grid.of([port]).nearest(part)
    with np.errstate(over="ignore"):
        return (np.rint(part) if port.integral else part).astype(port.dtype)


def _name(port: Port) -> str:
    return widened(port.name) if _is_bfloat16(port) else port.name


def own_class(network: Network, sample: np.ndarray) -> int:
    """The index of the largest output at a sample, shape (input_size,), as ONNX Runtime computes it.

    Raises:
        ModelError: where an output is not a number, or ONNX Runtime does not accept the model.
    """
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite, and its outputs are no numbers
        y = Replay(network).run(sample.astype(np.float32))
    if np.isnan(y).any():
        raise ModelError("an output at the sample is not a number", network.name, "say which: label=0")
    return int(np.argmax(y))


def rounded_into(box: Box, x: np.ndarray, grid: Grid = FLOAT32) -> np.ndarray:
    """The float32 vector nearest to `x` in the exact box; where an entry has no float32 inside, the nearest to it.

    Where the box has a ball which that vector misses, one in both if one is found near `x`.

    Args:
        box: its inner ends are numbers of the grid.
        x: float64, shape (input_size,).
        grid: the numbers that the vector may have.
    """
    nearest = grid.nearest(x)
    inside = np.minimum(np.maximum(nearest, box.inner_lower), box.inner_upper)
    empty = box.inner_lower > box.inner_upper
    point = np.where(empty, grid.nearest(np.clip(x, box.lower, box.upper)), inside)
    if box.ball is None or empty.any() or box.ball.contains(point):
        return point
    return box.ball.float32_near(x, box.inner_lower, box.inner_upper, grid)
