"""From what a user gives to a question about ranges: which tensors or forms, over which inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verifier.errors import Argument, UsageError
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.questions.ask import query_of
from verifier.questions.conditions import Condition, Every
from verifier.questions.forms import Form
from verifier.questions.inputs import box
from verifier.ranges.question import LinearForm, Part, parts_of
from verifier.readers.onnx import network_of
from verifier.readers.onnx.hidden import with_outputs_of


def with_tensors(network: Network, names: Sequence[str]) -> Network:
    """The network with the tensors of these names, hidden ones included, as its outputs; itself where none is named.

    Raises:
        UsageError: there is no such tensor, or the network was not read from a model.
    """
    if not names or tuple(port.name for port in network.outputs) == tuple(names):
        return network
    if not network.model:
        raise UsageError("a network without a model", Argument("outputs"), "give a model, or forms of its outputs")
    return network_of(with_outputs_of(network.model, names, network.name), Path(network.name), outputs=tuple(names))


def input_parts(
    network: Network, ends: tuple[Any, Any], inputs: Query | Condition | None, channels: str
) -> tuple[Part, ...]:
    """The input set that a user means.

    Args:
        ends: of a box, or two times None.
        inputs: a query or a condition, or None.
        channels: of the box's ends.

    Raises:
        UsageError: none is given, or two are, or `inputs` is neither a query nor a condition.
        PropertyError: it does not fit the network, or is empty.
    """
    lower, upper = ends
    if (lower is None) != (upper is None):
        raise UsageError("one end of a box", Argument("upper" if upper is None else "lower"), "give lower and upper")
    if (lower is None) == (inputs is None):
        fix = "give lower and upper, or inputs: a query, or a condition of verifier.questions"
        raise UsageError("no input set" if inputs is None else "two input sets", Argument("inputs"), fix)
    if inputs is None:
        inputs = box(lower, upper, channels)
    if isinstance(inputs, Condition):
        inputs = query_of(network, inputs, Every(()), "input set")
    if not isinstance(inputs, Query):
        fix = "give a query, or a condition of verifier.questions"
        raise UsageError(f"{type(inputs).__name__} is no input set", Argument("inputs"), fix)
    if inputs.input_size != network.input_size:
        cause = f"an input set of {inputs.input_size} inputs for a network of {network.input_size}"
        raise UsageError(cause, Argument("inputs"), "give one that belongs to this network")
    return parts_of(inputs.not_empty())


def forms_of(network: Network, forms: Sequence[Form | str] | Form | str) -> tuple[LinearForm, ...]:
    """The forms asked about; all outputs where none is given.

    Raises:
        UsageError: one is no form.
    """
    several = [forms] if isinstance(forms, Form | str) else list(forms)
    if several:
        return tuple(linear_form(form) for form in several)
    names = enumerate(_names(network))
    return tuple(LinearForm((), LinearForm.output(k).outputs, LinearForm.output(k).constant, name) for k, name in names)


def linear_form(form: Form | str) -> LinearForm:
    """A form as ranges take it.

    Raises:
        UsageError: it is none.
    """
    if isinstance(form, str):
        form = Form.parse(form)
    if not isinstance(form, Form):
        raise UsageError(f"{form!r} is no form", Argument("forms"), "give such as Y[0] - 2 * Y[3], or 'Y_0 - 2*Y_3'")
    inputs, outputs = (
        tuple((index, c) for (letter, index), c in sorted(form.terms.items()) if letter == which) for which in "XY"
    )
    if not inputs and not outputs:
        raise UsageError(f"the form {form} has no terms", Argument("forms"), "name an output: Y[0]")
    return LinearForm(inputs, outputs, form.constant, str(form))


def shape_of(network: Network, forms: Sequence[Form | str] | Form | str) -> tuple[int, ...] | None:
    """The shape of the only output, where its entries are what is asked about; None for all else."""
    given = isinstance(forms, Form | str) or len(forms) > 0
    return None if given or len(network.outputs) != 1 else network.outputs[0].shape


def _names(network: Network) -> list[str]:
    """Of all output entries: Y_0, Y_1, ..., or for several tensors by their names."""
    if len(network.outputs) == 1:
        return [f"Y_{k}" for k in range(network.output_size)]
    return [f"{port.name}[{k}]" for port in network.outputs for k in range(port.size)]
