"""Backward bounds whose rows stay in windows of images as long as these are narrow (`bounds.patches`).

The same bounds as `BackwardPass`, with the same errors; for rows on one box in NumPy, without pressures. Whatever does
not keep to windows takes the rows as a whole: other maps than convolutions, wide windows, lines that are not finite.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import is_numpy_array

from verifier.arrays import Array
from verifier.bounds.backward import BackwardPass
from verifier.bounds.patches import Patches, image_shapes, moved_back, patches
from verifier.network.graph import Affine, Elementwise
from verifier.tolerances import gamma

SMALLEST_IMAGE = 64
"""Pixels of an image from which on windows pay."""


class WindowedPass(BackwardPass):
    """Lower bounds of linear rows, as `BackwardPass` gives them."""

    @cached_property
    def _shapes(self) -> dict[int, tuple[int, ...]]:
        """Of the nodes that are images."""
        nodes = self.network.nodes
        shapes = image_shapes([getattr(node, "maps", ()) for node in nodes], [node.operands for node in nodes])
        return {k: shape for k, shape in shapes.items() if int(np.prod(shape[1:])) >= SMALLEST_IMAGE}

    def _started(self, node: int, rows: Array) -> Any:
        narrow = len(rows) == 1 and is_numpy_array(rows) and not self.pressures and node in self._shapes
        found = patches(rows[0], self._shapes[node]) if narrow else None
        return rows if found is None else found

    def _whole(self, rows: Any) -> Array:
        return rows.whole()[None] if isinstance(rows, Patches) else rows

    def _step_back(self, k: int, rows: Any, pending: dict[int, Any]) -> tuple[Array, Array]:
        if not isinstance(rows, Patches):
            for operand in self.network.nodes[k].operands:
                if operand in pending:
                    pending[operand] = self._whole(pending[operand])
            return super()._step_back(k, rows, pending)
        node = self.network.nodes[k]
        if isinstance(node, Affine):
            moved = [moved_back(m, rows) for m in node.maps]
            magnitude = self._affine_magnitude(k, node)[0]
            if all(m is not None for m in moved) and np.isfinite(magnitude).all():
                rounding = gamma(node.size + sum(m.adjoint_terms for m in node.maps) + len(self.network.nodes))
                slack = rounding * rows.with_values(np.abs(rows.values)).dot(magnitude)
                self._send(node.operands, moved, pending)
                return rows.dot(np.asarray(node.bias))[None], slack[None]
        elif isinstance(node, Elementwise) and (lines := self._finite_lines(k)) is not None:
            low, high, below, above, low_size, high_size = lines
            positive = rows.with_values(np.maximum(rows.values, 0.0))
            negative = rows.with_values(np.minimum(rows.values, 0.0))
            moved = [rows.with_values(positive.values * rows.of(low) + negative.values * rows.of(high))]
            slack = gamma(node.size + len(self.network.nodes)) * (positive.dot(low_size) - negative.dot(high_size))
            self._send(node.operands, moved, pending)
            return (positive.dot(below) + negative.dot(above))[None], slack[None]
        return self._step_back(k, self._whole(rows), pending)

    def _finite_lines(self, k: int) -> tuple[np.ndarray, ...] | None:
        """Slopes, intercepts and magnitudes of both lines of a function, shape (size,) each, if all are finite."""
        step = self._relaxed(k)
        (low,), (high,) = step.lines.lower_slopes, step.lines.upper_slopes
        several = (low, high, step.lines.lower_intercept, step.lines.upper_intercept)
        arrays = tuple(np.asarray(a)[0] for a in (*several, step.lower_magnitude, step.upper_magnitude))
        return arrays if all(np.isfinite(a).all() for a in arrays) else None

    def _send(self, operands: tuple[int, ...], moved: list[Any], pending: dict[int, Any]) -> None:
        """Adds rows to those that wait at operands."""
        for operand, part in zip(operands, moved, strict=True):
            waiting = pending.get(operand)
            both = part
            if waiting is not None:
                both = part.plus(waiting) if isinstance(waiting, Patches) else None
                if both is None or not both.narrow:
                    both = self._whole(part) + self._whole(waiting)
            pending[operand] = both
