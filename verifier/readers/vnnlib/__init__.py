"""VNN-LIB files, versions 1.0 and 2.0, read as queries."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import PropertyError, missing_package
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.readers.vnnlib.labels import without_labels
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.version1 import read_version1

if TYPE_CHECKING:
    from verifier.readers.vnnlib.version2 import Version2

_VERSION_2 = re.compile(r"\s*\(\s*(?:vnnlib-version|declare-network)\b")


def load_property(path: str | PathLike[str], network: Network | None = None, allow_empty: bool = True) -> Query:
    """The query in a VNN-LIB file.

    Args:
        path: a file of version 1.0 or 2.0 of the standard, plain or gzip.
        network: the network asked about; where given, the property's sizes must be its sizes. Version 2.0 files name
            their inputs and outputs; these are laid out in the network's order.
        allow_empty: whether bounds that leave no input at all are a query, which is vacuously `unsat`, or an error.

    Raises:
        PropertyError: the file cannot be read, is malformed, asks for something that is not supported, or does not fit
            the network.
    """
    source = Source.read(Path(path))
    parsed = parsed_version2(source)
    return property_of(source, network, allow_empty) if parsed is None else parsed.query(network).not_empty(allow_empty)


def property_of(source: Source, network: Network | None, allow_empty: bool = True) -> Query:
    """The query in a text of version 1.0; see `load_property`."""
    query = read_version1(source)
    if network is not None:
        query = without_labels(query, network)
        _check_sizes(query, network)
    return query.not_empty(allow_empty)


def parsed_version2(source: Source) -> Version2 | None:
    """The property in a text of version 2.0, without any network yet; None for one of version 1.0.

    Raises:
        PropertyError: it is malformed.
    """
    if not _VERSION_2.match(source.text):
        return None
    try:
        from verifier.readers.vnnlib.version2 import Version2  # imports the vnnlib package
    except ImportError as error:
        raise missing_package(error) or error from error
    return Version2.of(source)


def _check_sizes(query: Query, network: Network) -> None:
    for kind, declared, size in (
        ("inputs", query.input_size, network.input_size),
        ("outputs", query.output_size, network.output_size),
    ):
        if declared != size:
            raise PropertyError(
                f"the property declares {declared} {kind}, the network {network.name} has {size}",
                query.name,
                _of_one_row(declared, network) or "use the property that belongs to the network",
            )


def _of_one_row(declared: int, network: Network) -> str:
    """What to do where the property asks about one row of a fixed batch; empty where it does not."""
    batches = {port.shape[0] for port in network.inputs if port.shape}
    batch = batches.pop() if len(batches) == 1 else 1
    if batch < 2 or declared * batch not in (network.input_size, network.output_size):
        return ""
    return f"the batch is fixed to {batch}: give batch_index=0, or export the model with a batch of 1"
