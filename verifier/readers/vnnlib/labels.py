"""Properties of VNN-LIB 1.0 that count the entries of labels among the outputs, asked of a network without labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from verifier.errors import PropertyError
from verifier.network.graph import Network
from verifier.property.query import Declaration, LinearConstraint, Query


def without_labels(query: Query, network: Network) -> Query:
    """The query on the outputs that the network has: where the model has labels, the property counts their entries.

    Args:
        query: of a property that numbers its outputs through.
        network: of a model that may have labels among its outputs.

    Raises:
        PropertyError: the property asks about a label, or leaves the labels out, so that Y_0 could be either's.
    """
    count = sum(label.size for label in network.labels)
    if count and query.output_size == network.output_size:
        cause = f"the property has {query.output_size} outputs, the model {query.output_size + count} with its labels"
        chosen = ",".join(port.name for port in network.outputs)
        raise PropertyError(cause, query.name, f"count the labels' entries too, or give outputs={chosen}")
    if not network.labels or query.output_size != network.output_size + count:
        return query
    names = {j: label.name for label in network.labels for j in range(label.start, label.start + label.size)}
    numbers = {j: k for k, j in enumerate(j for j in range(query.output_size) if j not in names)}
    for j, _ in chain.from_iterable(row.outputs for disjunct in query.disjuncts for row in disjunct.rows):
        if j in names:
            cause = f"Y_{j} is an entry of the label '{names[j]}', which is not read"
            chosen = ",".join((names[j], *(port.name for port in network.outputs)))
            raise PropertyError(cause, query.name, f"ask about the other outputs, or give outputs={chosen}")

    def moved(row: LinearConstraint) -> LinearConstraint:
        return replace(row, outputs=tuple((numbers[j], factor) for j, factor in row.outputs))

    disjuncts = tuple(replace(d, rows=tuple(moved(row) for row in d.rows)) for d in query.disjuncts)
    inputs = Declaration("X", "", (query.input_size,), False, 0)
    outputs = (Declaration("Y", "", (1,), True, k, first=j) for j, k in numbers.items())
    return replace(query, disjuncts=disjuncts, output_size=network.output_size, declarations=(inputs, *outputs))
