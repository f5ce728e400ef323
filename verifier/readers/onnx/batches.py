"""One row of a model whose batch is fixed, where rows do not mix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.errors import ModelError, UsageError
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Port, Product
from verifier.network.linear_maps import Selection


def one_row(network: Network, row: int) -> Network:
    """The network that takes row `row` of the batch to row `row` of every output.

    It is the model with every row of the batch set to that input. That no other row matters is shown on the graph:
    no entry of the other rows reaches the outputs through a weight that is not zero.

    Raises:
        UsageError: there is no such row.
        ModelError: the ports do not share a batch, or rows mix.
    """
    ports = (*network.inputs, *network.outputs)
    sizes = {p.shape[0] if p.shape else 0 for p in ports}
    if len(sizes) != 1 or 0 in sizes:
        shapes = ", ".join(f"'{p.name}' {p.shape}" for p in ports)
        raise ModelError(f"inputs and outputs do not share a batch: {shapes}", network.name)
    batch = sizes.pop()
    if not 0 <= row < batch:
        raise UsageError(f"there is no row {row} in a batch of {batch}", network.name, "rows are counted from 0")
    outputs = _rows(network.outputs, batch, row)
    others = np.ones(network.input_size)
    others[_rows(network.inputs, batch, row)] = 0.0
    if _reached(network, others)[outputs].any():
        cause = f"row {row} of the outputs depends on other rows of the batch"
        raise ModelError(cause, network.name, "export the model with a batch of 1")
    return _of_row(network, batch, row, outputs)


def _rows(ports: tuple[Port, ...], batch: int, row: int) -> np.ndarray:
    """The flat numbers of one row's entries in all ports."""
    starts = np.cumsum([0, *(p.size for p in ports)])
    sizes = [p.size // batch for p in ports]
    parts = [np.arange(s + row * n, s + (row + 1) * n) for s, n in zip(starts, sizes, strict=False)]
    return np.concatenate(parts)


def _reached(network: Network, marked: np.ndarray) -> np.ndarray:
    """Which outputs the marked inputs reach through weights that are not zero."""
    values = [marked > 0]
    for node in network.nodes[1:]:
        operands = [values[i] for i in node.operands]
        if isinstance(node, Affine):
            total = np.zeros(node.size)
            for linear_map, operand in zip(node.maps, operands, strict=True):
                total += linear_map.magnitude.apply(operand[None].astype(np.float64))[0]
            values.append(~(total == 0.0))
        elif isinstance(node, Elementwise | Product):
            values.append(np.logical_or.reduce(operands))
        else:
            raise TypeError(f"no rule for {node}")
    return values[-1]


def _of_row(network: Network, batch: int, row: int, outputs: np.ndarray) -> Network:
    narrow = tuple(replace(p, shape=(1, *p.shape[1:]), batch=batch, row=row) for p in network.inputs)
    starts = np.cumsum([0, *(p.size for p in narrow)])
    copies = [np.tile(np.arange(s, s + p.size), batch) for s, p in zip(starts, narrow, strict=False)]
    size = int(starts[-1])
    spread = Affine((0,), (Selection(np.concatenate(copies), size),), np.zeros(network.input_size))
    moved: list[Node] = [
        replace(n, operands=tuple(i + 1 for i in n.operands))  # type: ignore[arg-type]
        for n in network.nodes
        if not isinstance(n, Input)
    ]
    last = len(moved) + 1
    picked = Affine((last,), (Selection(outputs, network.output_size),), np.zeros(len(outputs)))
    wide = tuple(replace(p, shape=(1, *p.shape[1:]), batch=batch, row=row) for p in network.outputs)
    nodes = (Input(size), spread, *moved, picked)
    return Network(
        nodes,
        narrow,
        wide,
        network.name,
        network.model,
        network.may_overflow,
        note=network.note,
        rounds_to=network.rounds_to,
    )
