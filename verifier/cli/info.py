"""`verifier info NET`: what a network is made of, and whether it can be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.options import word
from verifier.cli.part import Part
from verifier.text import visible

if TYPE_CHECKING:
    from verifier.network.graph import Network


@dataclass(frozen=True, kw_only=True)
class Model:
    """The network."""

    network: Path = word(Path, "NET", "ONNX model, .onnx or .onnx.gz.")


def info(model: Model, part: Part) -> int:
    """Show a network's inputs, outputs, nodes and activations.

    Of a model that cannot be read, the nodes that are not.

    Example:

    verifier info net.onnx
    """
    from verifier.errors import ModelError

    try:
        read = part.of(model.network)
    except ModelError:
        unread = unread_facts(model.network, part)
        if unread:
            _print(model.network.name, unread)
        raise
    _print(read.name, facts(read))
    return 0


def _print(title: str, rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=False)
    for label, value in rows:
        table.add_row(label, Text(visible(value)))
    Console().print(table)


def unread_facts(path: Path, part: Part) -> list[tuple[str, str]]:
    """Pairs (label, text) about the nodes that are not read; none where something else is at fault."""
    from verifier.errors import VerifierError
    from verifier.readers.onnx.survey import unread_nodes

    try:
        found = unread_nodes(path, part.output)
    except VerifierError:
        return []
    return [("not read", f"{node.op} '{node.name}': {node.cause}") for node in found]


def facts(network: Network) -> list[tuple[str, str]]:
    """Pairs (label, text) that describe a network."""
    from verifier.network.graph import Affine, Elementwise, Product

    affine = [n for n in network.nodes if isinstance(n, Affine)]
    products = [n for n in network.nodes if isinstance(n, Product)]
    functions: Counter[str] = Counter()
    for node in network.nodes:
        if isinstance(node, Elementwise):
            functions[node.function.name] += node.size
    maps = Counter(type(m).__name__ for n in affine for m in n.maps)
    work = sum(m.multiplications for n in affine for m in n.maps)
    values = sum(n.size for n in network.nodes)
    exact = all(n.function.pieces is not None for n in network.nodes if isinstance(n, Elementwise)) and not products
    return [
        *((f"input {p.name}", f"{_shape(p.shape)} {p.dtype}, {p.size} entries") for p in network.inputs),
        *((f"output {p.name}", f"{_shape(p.shape)} {p.dtype}, {p.size} entries") for p in network.outputs),
        *([("note", network.note)] if network.note else []),
        *([("rounds to", f"{network.rounds_to}; proofs are of real numbers")] if network.rounds_to else []),
        ("affine nodes", f"{len(affine)} ({', '.join(f'{count} {name}' for name, count in maps.most_common())})"),
        *((f"activation {name}", f"{count} neurons") for name, count in functions.most_common()),
        ("products", str(sum(n.size for n in products))),
        ("a pass", f"{_counted(work)} multiplications, {_counted(values)} values"),
        ("a bound's row", f"{8 * values / 1e6:.2g} MB where nothing of it is known to be 0"),
        ("methods", "all; milp is complete" if exact else "all; milp is not complete here: not piecewise linear"),
    ]


def _counted(count: int) -> str:
    """A number as one says it: 105 million."""
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:,}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape) or "scalar"
