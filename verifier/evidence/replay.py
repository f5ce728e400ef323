"""Replays inputs in ONNX Runtime, the judge of every witness: what our own arithmetic says does not count."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import ModelError
from verifier.network.graph import Network
from verifier.property.query import Box, Disjunct
from verifier.verdict import Witness

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Replay:
    """Runs a network's own ONNX model and judges candidate witnesses.

    Args:
        network: read from a model (`Network.model` is not empty).
        tolerance: how far a witness may lie outside the box and exceed the rows, absolute; 0.0 is exact.

    Raises:
        ModelError: on first use, where ONNX Runtime does not accept the model.
    """

    def __init__(self, network: Network, tolerance: float = 0.0) -> None:
        self.network, self.tolerance = network, tolerance

    @cached_property
    def session(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            return onnxruntime.InferenceSession(self.network.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime has no common base class for its errors
            raise ModelError(f"ONNX Runtime does not accept the model ({error})", self.network.name) from error

    def run(self, x: np.ndarray) -> np.ndarray:
        """The outputs for one float32 input vector, concatenated, as float64; shape (output_size,)."""
        feed, start = {}, 0
        for port in self.network.inputs:
            part = x[start : start + port.size]
            feed[port.name] = part.astype(port.dtype).reshape(port.shape)
            start += port.size
        outputs = self.session.run([port.name for port in self.network.outputs], feed)
        return np.concatenate([np.asarray(y, np.float64).ravel() for y in outputs])

    def judge(self, disjunct: Disjunct, x: np.ndarray) -> Witness | None:
        """The witness that `x` (a vector of float64) gives after rounding into the disjunct's box, or None.

        The rows are evaluated exactly at the runtime's outputs.
        """
        point = rounded_into(disjunct.box, x)
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


def rounded_into(box: Box, x: np.ndarray) -> np.ndarray:
    """The float32 vector nearest to `x` in the exact box; where an entry has no float32 inside, the nearest to it.

    Where the box has a ball which that vector misses, one in both if one is found near `x`.
    """
    nearest = x.astype(np.float32)
    inside = np.minimum(np.maximum(nearest, box.inner_lower), box.inner_upper)
    empty = box.inner_lower > box.inner_upper
    point = np.where(empty, np.clip(x, box.lower, box.upper).astype(np.float32), inside)
    if box.ball is None or empty.any() or box.ball.contains(point):
        return point
    return box.ball.float32_near(x, box.inner_lower, box.inner_upper)
