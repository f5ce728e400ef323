"""Ranges and optima as calls of the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from verifier.arguments import names, of_type
from verifier.models import as_network
from verifier.property.query import Query
from verifier.questions.conditions import Condition
from verifier.questions.forms import Form
from verifier.ranges.asking import forms_of, input_parts, linear_form, shape_of, with_tensors
from verifier.ranges.bounds import measured, optimum
from verifier.ranges.options import RangeOptions
from verifier.ranges.question import RangeQuestion
from verifier.ranges.result import Optimum, Ranges


def bounds(
    network: Any,
    lower: Any = None,
    upper: Any = None,
    inputs: Query | Condition | None = None,
    outputs: Sequence[str] = (),
    forms: Sequence[Form | str] | Form | str = (),
    options: RangeOptions | None = None,
    channels: str = "first",
    progress: Callable[[Ranges], None] | None = None,
) -> Ranges:
    """The ranges of outputs, hidden tensors or linear forms over an input set: proven ends, and what inputs reach.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> ranges = verifier.bounds(network, [-0.2, 0.9], [0.2, 1.1])
    >>> bool((ranges.lower <= ranges.reached_lower).all() and (ranges.reached_upper <= ranges.upper).all())
    True
    >>> ranges.exact, ranges.lower.shape == network.outputs[0].shape
    (True, True)

    Args:
        network: a `Network`, a path or any other model that `verify` takes.
        lower, upper: ends of the inputs, of the network's input shape or flat; a number stands for all entries.
        inputs: the input set instead: that of a query, or a condition of `verifier.questions`, such as a ball.
        outputs: names of tensors of the model, hidden ones too; all outputs if not given.
        forms: what is asked about of these, such as ``Y[0] - 2 * Y[3]`` or its text ``"Y_0 - 2*Y_3"``; each entry of
            them if not given.
        options: gap, timeout, threads.
        channels: as for `robustness_query`, for `lower` and `upper`.
        progress: called with what is known whenever there is more.

    Raises:
        PropertyError: the input set does not fit the network or is empty, or a form names what the network lacks.
        UsageError: an argument has a wrong type, there is no such tensor, or no input set.
    """
    found = with_tensors(as_network(network, lower), () if not outputs else names(outputs, "outputs"))
    parts = input_parts(found, (lower, upper), inputs, channels)
    question = RangeQuestion(found, parts, forms_of(found, forms))
    return measured(question, _options(options), shape_of(found, forms), progress or (lambda ranges: None))


def minimize(network: Any, form: Form | str, inputs: Query | Condition, options: RangeOptions | None = None) -> Optimum:
    """The least value of a linear form of inputs and outputs over an input set, which may have linear rows.

    >>> import verifier
    >>> from verifier.questions import X, Y, box
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> least = verifier.minimize(network, Y[0] - Y[1], box([-0.2, 0.9], [0.2, 1.1]) & (X[0] + X[1] <= 1))
    >>> least.bound <= least.reached
    True

    Args:
        network: a `Network`, a path or any other model that `verify` takes.
        form: such as ``Y[0] - 2 * Y[3]`` or its text.
        inputs: the input set: that of a query, or a condition of `verifier.questions`.
        options: gap (a share of the form's range), timeout, threads.

    Raises:
        PropertyError, UsageError: as for `bounds`.
    """
    return _optimum(as_network(network), form, inputs, options, -1)


def maximize(network: Any, form: Form | str, inputs: Query | Condition, options: RangeOptions | None = None) -> Optimum:
    """The largest value of a linear form; see `minimize`."""
    return _optimum(as_network(network), form, inputs, options, 1)


def _optimum(
    network: Any, form: Form | str, inputs: Query | Condition, options: RangeOptions | None, sense: int
) -> Optimum:
    parts = input_parts(network, (None, None), inputs, "first")
    question = RangeQuestion(network, parts, (linear_form(form),), (-sense,))
    return optimum(measured(question, _options(options)), sense > 0)


def _options(options: RangeOptions | None) -> RangeOptions:
    if options is None:
        return RangeOptions()
    return of_type(options, RangeOptions, "options", "give verifier.RangeOptions(...)")
