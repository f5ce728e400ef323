"""A property in one version of VNN-LIB said in the other: the same question, with exact decimals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.errors import PropertyError
from verifier.network.graph import Network, Port
from verifier.readers.vnnlib import parsed_version2
from verifier.readers.vnnlib.layout import Layout
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.theories import VERSIONS
from verifier.readers.vnnlib.version1 import read_assertions
from verifier.readers.vnnlib.written import Style, Written

NETWORK = "N"
"""What the network of a property of version 1.0 is called."""


def converted(source: Source, to: str, network: Network | None = None) -> str:
    """The property as a text of version `to`, which is "1.0" or "2.0".

    Args:
        source: a property of either version.
        network: what it is about; its tensors are declared with their shapes, without it as vectors.

    Raises:
        PropertyError: the property is malformed, or cannot be said in that version.
    """
    if to not in VERSIONS:
        raise PropertyError(f"there is no version {to}", source.name, f"choose {' or '.join(VERSIONS)}")
    try:
        return _to_2(source, network) if to == "2.0" else _to_1(source, network)
    except ValueError as fault:
        raise PropertyError(str(fault), source.name, "keep it in version 2.0") from None


def _to_2(source: Source, network: Network | None) -> str:
    if parsed_version2(source) is not None:
        return source.raw
    sizes = read_assertions(source, Written(Style(str, "==", True)))  # once for the sizes, which the names depend on
    ports = [(Port("X", (sizes[0],)),), (Port("Y", (sizes[1],)),)] if network is None else _of(network, sizes, source)
    names = [_names(letter, own) for letter, own in zip("XY", ports, strict=True)]
    elements = [_elements(of, own) for of, own in zip(names, ports, strict=True)]
    written = Written(Style(lambda code: elements[0][code] if code >= 0 else elements[1][-1 - code], "==", True))
    read_assertions(source, written)
    lines = ["(vnnlib-version <2.0>)", f"(declare-network {NETWORK}"]
    for kind, of, own in zip(("input", "output"), names, ports, strict=True):
        for name, port in zip(of, own, strict=True):
            lines.append(f"    (declare-{kind} {name} real [{','.join(map(str, port.shape))}])")
    return "\n".join([*lines, ")", *written.assertions, ""])


def _of(network: Network, sizes: tuple[int, int], source: Source) -> list[tuple[Port, ...]]:
    if sizes != (network.input_size, network.output_size):
        cause = f"the property has {sizes[0]} inputs and {sizes[1]} outputs, the network"
        told = f"{cause} {network.input_size} and {network.output_size}"
        raise PropertyError(told, source.name, "use the property that belongs to the network")
    return [network.inputs, network.outputs]


def _names(letter: str, ports: Sequence[Port]) -> list[str]:
    return [letter] if len(ports) == 1 else [f"{letter}{k}" for k in range(len(ports))]


def _elements(names: Sequence[str], ports: Sequence[Port]) -> list[str]:
    """What each element of the tensors is called, row-major."""
    found = []
    for name, port in zip(names, ports, strict=True):
        places = np.ndindex(port.shape)
        found += [f"{name}[{','.join(map(str, place))}]" if place else name for place in places]
    return found


def _to_1(source: Source, network: Network | None) -> str:
    parsed = parsed_version2(source)
    if parsed is None:
        return source.raw
    if len(parsed.interfaces) > 1 or parsed.interfaces[0].hidden:
        raise ValueError("several networks, and hidden tensors, cannot be said in version 1.0")
    layout = Layout(source, parsed.interfaces, network)
    written = Written(Style(lambda code: f"X_{code}" if code >= 0 else f"Y_{-1 - code}", "=", False))
    parsed.tell(written, layout)
    query = parsed.query(network)
    if any(not (np.isfinite(d.box.lower).all() and np.isfinite(d.box.upper).all()) for d in query.disjuncts):
        raise ValueError("inputs without bounds cannot be said in version 1.0")
    sizes = zip("XY", (layout.input_size, layout.output_size), strict=True)
    lines = [f"(declare-const {letter}_{k} Real)" for letter, size in sizes for k in range(size)]
    return "\n".join([*lines, *written.assertions, ""])
