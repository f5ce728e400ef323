"""Where computed indices point, as zeros and ones: one for each place that they may name.

Of whole numbers v + o, where v depends on the input and the offsets o do not, [v + o = d] = [v = d - o]. So indices
that move together, as those of a patch or a window do, share the zeros and ones of one of them. An index of several
components is the And of theirs, each of its own v.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.network.functions import Near, Relu, Step
from verifier.network.graph import Affine, Elementwise
from verifier.network.linear_maps import Selection
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.tensors import Variable
from verifier.readers.onnx.tracing import Traced, traced


@dataclass(frozen=True, eq=False)
class Placement:
    """Which place each of some rows of indices names: for each of T cases that place, and a flag that is 1 in the case.

    Attributes:
        flags: of zeros and ones, shape (J,).
        row, flag, place: integers, shape (T,): in the case that `flag` is 1, `row` names `place` (row-major).
        distinct: whether no two rows ever name the same place.
    """

    flags: Variable
    row: np.ndarray
    flag: np.ndarray
    place: np.ndarray
    distinct: bool

    def of_row(self, row: int) -> Placement:
        """That of one row alone."""
        mine = self.row == row
        return Placement(self.flags, self.row[mine], self.flag[mine], self.place[mine], True)


def placed(graph: GraphBuilder, indices: Variable, extent: Sequence[int]) -> Placement | None:
    """The places that rows of indices name, shape (rows, components), in a tensor of this extent; None if too many.

    Negative indices count from the end. Rows with an index beyond the extent are an error at run time.
    """
    rows, depth = indices.shape
    columns = [graph.move([indices], lambda a, k=k: a[:, k]) for k in range(depth)]
    affine = [traced(graph, column) for column in columns if isinstance(column, Variable)]
    if len(affine) < depth or any(found is None for found in affine):
        return None
    known = [found for found in affine if found is not None]
    together: dict[tuple[object, ...], list[int]] = {}
    for row in range(rows):
        together.setdefault(tuple(_key(found, row) for found in known), []).append(row)
    parts = [_moving_together(graph, columns, known, np.array(group), extent) for group in together.values()]
    starts = np.cumsum([0, *(flags.size for flags, _, _ in parts)])
    joined = graph.move([flags for flags, _, _ in parts], lambda *several: np.concatenate(several))
    assert isinstance(joined, Variable)
    cases: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for group, start, (flags, places, _) in zip(together.values(), starts, parts, strict=False):
        numbers = start + np.tile(np.arange(flags.size), len(group))
        cases.append((np.repeat(np.array(group), flags.size), numbers, places.reshape(-1)))
    of_row, of_flag, of_place = (np.concatenate([case[k] for case in cases]) for k in range(3))
    return Placement(joined, of_row, of_flag, of_place, len(parts) == 1 and parts[0][2])


def _key(found: Traced, row: int) -> tuple[object, ...]:
    part = slice(found.matrix.indptr[row], found.matrix.indptr[row + 1])
    return tuple(found.matrix.indices[part]), tuple(found.matrix.data[part])


def _moving_together(
    graph: GraphBuilder, columns: Sequence[object], affine: Sequence[Traced], group: np.ndarray, extent: Sequence[int]
) -> tuple[Variable, np.ndarray, bool]:
    """Flags of rows that differ by offsets, the place of each row for each flag, (rows, flags), and if they differ."""
    values: list[np.ndarray] = []
    hot: list[Variable] = []
    offsets = np.stack([np.rint(found.bias[group] - found.bias[group[0]]) for found in affine])
    for column, found, size, offset in zip(columns, affine, extent, offsets, strict=True):
        assert isinstance(column, Variable)
        first = graph.affine([(column, Selection(group[:1], column.size))], (1,))
        if found.constant[group[0]]:
            values.append(np.rint(found.bias[group[:1]]))
            continue
        least = 0 if is_never_negative(graph, column) else -size
        values.append(np.arange(least - offset.min(), size - offset.max()))
        hot.append(graph.elementwise(graph.combine([(1.0, first), (-1.0, values[-1])]), Near(0.5)))
    flags = _all_of(graph, hot)
    at = np.array(list(itertools.product(*values))).reshape(-1, len(values)).T  # (components, flags)
    moved = at[:, None, :] + offsets[:, :, None]
    sizes = np.array(extent, np.float64)[:, None, None]
    front = np.where(moved < 0, moved + sizes, moved).astype(np.int64)
    if ((front < 0) | (front >= sizes)).any():
        raise ValueError("an index is outside the tensor")
    places = np.ravel_multi_index(tuple(front), tuple(extent))
    remainders = np.mod(offsets, np.array(extent, np.float64)[:, None])
    return flags, places, np.unique(remainders, axis=1).shape[1] == len(group)


def _all_of(graph: GraphBuilder, hot: Sequence[Variable]) -> Variable:
    """For all combinations of places, the last component's changing first, whether all flags are 1; shape (J,)."""
    if not hot:
        return graph.constant(np.ones(1))
    flags = hot[0]
    for other in hot[1:]:
        pair = [graph.move([flags], lambda a: a[:, None]), graph.move([other], lambda a: a[None, :])]
        both = graph.relu(graph.combine([(1.0, pair[0]), (1.0, pair[1]), (-1.0, np.ones(()))]))
        moved = graph.move([both], lambda a: a.reshape(-1))
        assert isinstance(moved, Variable)
        flags = moved
    return flags


def is_never_negative(graph: GraphBuilder, x: Variable) -> bool:
    """Whether the tensor is a sum of nonnegative multiples of what is nonnegative by its nature."""
    found = traced(graph, x)
    if x.dtype is not None and x.dtype.kind == "u":
        return True
    if found is None or (found.bias < 0).any() or (found.matrix.data < 0).any():
        return False
    waiting, seen = [x.node], {x.node}
    while waiting:
        node = graph.nodes[waiting.pop()]
        if isinstance(node, Affine):
            waiting += [i for i in node.operands if i not in seen]
            seen.update(node.operands)
        elif not (isinstance(node, Elementwise) and isinstance(node.function, Near | Relu | Step)):
            return False
    return True
