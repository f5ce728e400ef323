"""A question in files: a property, and the model of each network that it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from verifier.errors import UsageError
from verifier.network.graph import Network
from verifier.network.joint import side_by_side
from verifier.property.query import Query
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import parsed_version2, property_of
from verifier.readers.vnnlib.interfaces import Interface, narrower
from verifier.readers.vnnlib.source import Source

ONLY = ""
"""The name of a model where there is only one network."""


def load_question(
    prop: str | PathLike[str],
    models: Mapping[str, str | PathLike[str]],
    allow_empty: bool = True,
    outputs: Sequence[str] = (),
    batch_index: int | None = None,
) -> tuple[Network, Query]:
    """The network that a property is about, and its query.

    Of several declared networks it is the one that has them side by side (`network.joint`), a model for each; hidden
    tensors that the property names are outputs of it.

    Args:
        prop: a file of VNN-LIB 1.0 or 2.0.
        models: by the names of the networks in the property, without those that are equal to another; `ONLY` is the
            name of a single one.
        allow_empty: whether bounds that leave no input at all are a query, which is vacuously `unsat`, or an error.
        outputs, batch_index: of a single network, see `load_network`.

    Raises:
        UsageError: a model is missing, or one too many; or a file is.
        VerifierError: a file cannot be read, or they do not fit.
    """
    source = Source.read(Path(prop))
    parsed = parsed_version2(source)
    if parsed is None:
        network = load_network(_only(models, source), outputs=outputs, batch_index=batch_index)
        return network, property_of(source, network, allow_empty)
    files = _files(parsed.interfaces, models, source)
    first = parsed.interfaces[0]
    if len(parsed.interfaces) == 1:
        hidden = [tensor.onnx_name for tensor in first.hidden]
        network = load_network(files[first.name], outputs=outputs, batch_index=batch_index, hidden=hidden)
    else:
        if outputs or batch_index is not None:
            raise UsageError("a part of one of several networks cannot be asked about", source.name)
        parts = [_part(interface, parsed.interfaces, files) for interface in parsed.interfaces]
        networks = [_narrowed(n, i) for n, i in zip(_shared(parts), parsed.interfaces, strict=True)]
        network = side_by_side(networks, [interface.name for interface in parsed.interfaces])
    return network, parsed.query(network).not_empty(allow_empty)


def _narrowed(network: Network, interface: Interface) -> Network:
    """The network, of which only numbers of shorter float types are asked about where the property declares such."""
    if len(interface.inputs) != len(network.inputs):
        return network
    by_name = {tensor.onnx_name: tensor for tensor in interface.inputs if tensor.onnx_name}
    declared = [by_name.get(p.name, t) for p, t in zip(network.inputs, interface.inputs, strict=True)]
    pairs = list(zip(network.inputs, declared, strict=True))
    if not any(narrower(tensor, port) for port, tensor in pairs):
        return network
    ports = (replace(port, numbers=tensor.dtype) if narrower(tensor, port) else port for port, tensor in pairs)
    return replace(network, inputs=tuple(ports))


def _only(models: Mapping[str, str | PathLike[str]], source: Source) -> Path:
    if len(models) != 1:
        raise UsageError(f"{len(models)} models for a property of one network", source.name, "give one")
    return Path(next(iter(models.values())))


def _files(
    interfaces: Sequence[Interface], models: Mapping[str, str | PathLike[str]], source: Source
) -> dict[str, Path]:
    """The model of every declared network."""
    needed = [interface.name for interface in interfaces if not interface.equal_to]
    if len(needed) == 1 and list(models) == [ONLY]:
        models = {needed[0]: models[ONLY]}
    fix = f"give --network NAME=MODEL for each of {', '.join(needed)}"
    if missing := [name for name in needed if name not in models]:
        raise UsageError(f"the network {missing[0]} has no model", source.name, fix)
    if more := [name for name in models if name not in needed]:
        declared = {interface.name: interface.equal_to for interface in interfaces}
        why = f"is equal to {declared[more[0]]}" if declared.get(more[0]) else "is not declared"
        raise UsageError(f"a model for {more[0] or 'one network'}, which {why}", source.name, fix)
    files = {name: Path(models[name]) for name in needed}
    return files | {i.name: files[i.equal_to] for i in interfaces if i.equal_to}


Key = tuple[Path, tuple[str, ...]]
"""What is read: a file, with hidden tensors."""


def _part(interface: Interface, interfaces: Sequence[Interface], files: Mapping[str, Path]) -> Key:
    """What is to be read for a network; the same hidden tensors wherever a file is used, so that it is read once."""
    own = files[interface.name].resolve()
    hidden = [t.onnx_name for i in interfaces if files[i.name].resolve() == own for t in i.hidden]
    return files[interface.name], tuple(dict.fromkeys(hidden))


def _shared(keys: Sequence[Key]) -> list[Network]:
    known: dict[Key, Network] = {}
    for file, hidden in keys:
        key = file.resolve(), hidden
        if key not in known:
            known[key] = load_network(file, hidden=hidden, outputs=())
    return [known[file.resolve(), hidden] for file, hidden in keys]
