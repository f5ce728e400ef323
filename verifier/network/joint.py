"""Several networks side by side as one: its input is all their inputs, its output all their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from verifier.network.graph import COARSENESS, Affine, Input, Network, Node, Port
from verifier.network.linear_maps import Selection


def side_by_side(parts: Sequence[Network], names: Sequence[str]) -> Network:
    """The network whose ports are those of all parts, each called ``NAME.PORT``.

    Args:
        parts: at least one; a network may stand there twice, and shares its weights then.
        names: of the parts.
    """
    starts = [0, *accumulate(part.input_size for part in parts)]
    nodes: list[Node] = [Input(starts[-1])]
    ends = []
    for part, start in zip(parts, starts, strict=False):
        nodes.append(_taken(start, part.input_size, starts[-1]))
        first = len(nodes) - 1
        nodes += [replace(node, operands=tuple(k + first for k in node.operands)) for node in part.nodes[1:]]  # type: ignore[arg-type]
        ends.append(len(nodes) - 1)
    nodes.append(_joined(ends, [part.output_size for part in parts]))
    return Network(
        tuple(nodes),
        _ports([part.inputs for part in parts], names),
        _ports([part.outputs for part in parts], names),
        ", ".join(dict.fromkeys(part.name for part in parts)),
        may_overflow=any(part.may_overflow for part in parts),
        rounds_to=max((part.rounds_to for part in parts), key=COARSENESS),
        note="; ".join(dict.fromkeys(part.note for part in parts if part.note)),
        parts=tuple(parts),
    )


def _taken(start: int, size: int, of: int) -> Affine:
    """The inputs of one part."""
    return Affine((0,), (Selection(np.arange(start, start + size), of),), np.zeros(size))


def _joined(ends: Sequence[int], sizes: Sequence[int]) -> Affine:
    """The outputs of all parts, one after another."""
    total, starts = sum(sizes), [0, *accumulate(sizes)]
    maps = []
    for start, size in zip(starts, sizes, strict=False):
        indices = np.full(total, -1)
        indices[start : start + size] = np.arange(size)
        maps.append(Selection(indices, size))
    return Affine(tuple(ends), tuple(maps), np.zeros(total))


def _ports(ports: Sequence[tuple[Port, ...]], names: Sequence[str]) -> tuple[Port, ...]:
    named = zip(ports, names, strict=True)
    return tuple(replace(port, name=f"{name}.{port.name}") for own, name in named for port in own)
