"""Where the elements of a VNN-LIB 2.0 property's tensors are in the vectors of all inputs and of all outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from verifier.network.graph import Network, Port, type_ends
from verifier.property.query import Declaration
from verifier.readers.vnnlib.boxes import Ends
from verifier.readers.vnnlib.interfaces import ELEMENTS, Interface, Tensor, narrower
from verifier.readers.vnnlib.source import Source


@dataclass(frozen=True)
class Place:
    """A tensor's part of the vector of all inputs, or of all outputs (hidden tensors included)."""

    start: int
    shape: tuple[int, ...]
    is_input: bool


class Layout:
    """The places of all tensors of all networks.

    Args:
        source: the property, for messages.
        interfaces: what it declares.
        network: what it is about, of as many parts as there are interfaces; None where nobody knows.

    Raises:
        PropertyError: network and property do not fit.
    """

    def __init__(self, source: Source, interfaces: Sequence[Interface], network: Network | None) -> None:
        self._source = source
        self._places: dict[str, Place] = {}
        self.input_size = self.output_size = 0
        self.declarations: list[Declaration] = []
        self.notes: list[str] = []
        self._ends: list[tuple[int, tuple[float, float]]] = []
        parts = [None] * len(interfaces) if network is None else list(network.parts or (network,))
        if len(parts) != len(interfaces):
            names = ", ".join(interface.name for interface in interfaces)
            self._fail(f"it declares {len(interfaces)} networks ({names})", "give each its model: --network NAME=MODEL")
        for interface, part in zip(interfaces, parts, strict=True):
            self._add(interface, part)

    def code(self, name: str, indices: Sequence[int]) -> int:
        """The code of an element (`linear`): an input's place, -1 - the place of an output; row-major."""
        place, offset = self._places[name], 0
        for index, length in zip(indices, place.shape, strict=True):
            offset = offset * length + index
        at = place.start + offset
        return at if place.is_input else -1 - at

    def element(self, place: int) -> str:
        """The element of the inputs at a place, as the file writes it."""
        own = [(name, p) for name, p in self._places.items() if p.is_input and p.start <= place]
        name, found = max(own, key=lambda pair: pair[1].start)
        indices: list[int] = []
        rest = place - found.start
        for length in reversed(found.shape):
            rest, index = divmod(rest, length)
            indices.insert(0, index)
        return f"{name}[{','.join(map(str, indices))}]" if indices else name

    @property
    def ends(self) -> Ends:
        """What inputs are at least and at most by their types alone."""
        lower, upper = (np.concatenate([np.full(0, 0.0), *(np.full(n, e[k]) for n, e in self._ends)]) for k in (0, 1))
        most = np.finfo(np.float32).max
        inner = [np.clip(end, -most, most).astype(np.float32) for end in (lower, upper)]
        return Ends(lower, upper, *inner)

    def _add(self, interface: Interface, part: Network | None) -> None:
        ports = None if part is None else part.inputs
        self._lay_out("input", interface, interface.inputs, ports)
        if part is None:
            self._lay_out("output", interface, interface.outputs, None)
            self._lay_out("hidden", interface, interface.hidden, None)
        else:
            self._check_labels(interface, part)
            start = self.output_size
            own = tuple(port for port in part.outputs if not port.hidden)
            self._lay_out("output", interface, interface.outputs, own)
            self._find_hidden(interface, part, start)
            self.output_size = start + part.output_size
        self.declarations += self._declared(interface)

    def _lay_out(
        self, kind: str, interface: Interface, tensors: Sequence[Tensor], ports: Sequence[Port] | None
    ) -> None:
        if ports is not None:
            tensors = self._in_order(kind, interface, tensors, ports)
        for k, tensor in enumerate(tensors):
            self._check(kind, interface, tensor, None if ports is None else ports[k])
            is_input = kind == "input"
            start = self.input_size if is_input else self.output_size
            self._places[tensor.name] = Place(start, tensor.shape, is_input)
            if is_input:
                self.input_size += tensor.size
                self._ends.append((tensor.size, type_ends(tensor.dtype if ports is None else ports[k].dtype)))
            else:
                self.output_size += tensor.size

    def _find_hidden(self, interface: Interface, part: Network, start: int) -> None:
        """Lays out hidden tensors, each at the output of the model that it was made, or is anyway."""
        starts: dict[str, tuple[int, Port]] = {}
        for port in part.outputs:
            starts[port.name] = start, port
            start += port.size
        for tensor in interface.hidden:
            if tensor.onnx_name not in starts:
                cause = f"the hidden tensor {tensor.name} is not among what was read of {part.name}"
                self._fail(cause, "give the model with --network, or to load_query")
            at, port = starts[tensor.onnx_name]
            self._check("hidden", interface, tensor, port)
            self._places[tensor.name] = Place(at, tensor.shape, False)

    def _declared(self, interface: Interface) -> Iterator[Declaration]:
        for tensor in (*interface.inputs, *interface.hidden, *interface.outputs):
            place = self._places[tensor.name]
            yield Declaration(tensor.name, tensor.dtype or "real", tensor.shape, not place.is_input, place.start)

    def _in_order(
        self, kind: str, interface: Interface, tensors: Sequence[Tensor], ports: Sequence[Port]
    ) -> list[Tensor]:
        """The tensors in the order of the ports they stand for: by ONNX name where they name any, else as is."""
        if len(tensors) != len(ports):
            self._fail(f"the property declares {len(tensors)} {kind} tensors, the network has {len(ports)}")
        names = [tensor.onnx_name for tensor in tensors]
        if not any(names):
            return list(tensors)
        if sorted(names) != sorted(port.name for port in ports):
            self._fail(f"the property names the {kind}s {names}, the network has {[p.name for p in ports]}")
        return [tensors[names.index(port.name)] for port in ports]

    def _check(self, kind: str, interface: Interface, tensor: Tensor, port: Port | None) -> None:
        """Fails where the type is not supported, or the port is of another type or size.

        A network declared isomorphic to another may have a type of its own: its model may compute in a longer one.
        """
        if tensor.dtype not in ELEMENTS.values():
            cause = f"{kind} {tensor.name} has element type {tensor.dtype}, which is not supported"
            self._fail(cause, "use real or a float type")
        if port is None:
            return
        what = f"{kind} {tensor.name}"
        if tensor.size != port.size:
            self._fail(f"{what} has {tensor.size} elements, the network's {port.name} has {port.size}")
        if tensor.dtype in ("", port.dtype):
            return
        if not (interface.isomorphic_to and narrower(tensor, port)):
            self._fail(f"{what} is {tensor.dtype}, the network's {port.name} is {port.dtype}", "use real")
        self.notes.append(f"{what} is declared {tensor.dtype}, and the model computes it in {port.dtype}")

    def _check_labels(self, interface: Interface, part: Network) -> None:
        """Says what to do about a property that declares labels, which the network lacks."""
        if part.labels and len(interface.outputs) == len(part.outputs) + len(part.labels):
            cause = f"the property declares {len(interface.outputs)} output tensors, but {part.note}"
            self._fail(cause, "declare that one alone")

    def _fail(self, cause: str, fix: str = "use the property that belongs to the network") -> NoReturn:
        raise self._source.error_at_line(cause, None, fix)
