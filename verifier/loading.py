"""What a user has, as networks and queries: model files and models, property files, samples, conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from verifier.arguments import NORM, limits, norm_named, of_type, real, whole
from verifier.errors import Argument, UsageError, missing_package
from verifier.evidence.replay import own_class
from verifier.models import as_network
from verifier.network.graph import Network
from verifier.property.query import BY_LABEL, BY_NETWORK, Query
from verifier.property.robustness import Neighbourhood
from verifier.property.robustness import robustness_query as _robustness_query
from verifier.property.samples import as_input
from verifier.questions.conditions import Condition
from verifier.readers.onnx import load_network as _load_network
from verifier.readers.question import ONLY, load_question
from verifier.readers.vnnlib import load_property as _load_property

if TYPE_CHECKING:
    import torch

Model: TypeAlias = Any
"""A `Network`, a file's path, an `onnx.ModelProto` or its bytes, a `torch.nn.Module`, a fitted scikit-learn estimator
or pipeline, or a Keras model. A torch module is exported with the shape of the sample, or by `from_torch`."""

CONDITION = "give conditions of verifier.questions, such as box(0, 1) and Y[0] > Y[1]"


def load_network(path: str | Path, outputs: Sequence[str] = (), batch_index: int | None = None) -> Network:
    """Reads an ONNX model (``.onnx`` or ``.onnx.gz``).

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/digits_dense.onnx")
    >>> network.input_size, network.output_size
    (64, 10)

    Args:
        path: the file.
        outputs: names of those outputs that the network has, in this order; by default all, but for labels that cannot
            be read. What they do not need is not read.
        batch_index: the row of a fixed batch that the network is, where rows do not mix; by default the whole batch.

    Raises:
        ModelError: the file is no usable model, or has an operator that is not supported; the message names the node.
        UsageError: there is no such file.
    """
    network = _load_network(path, outputs=outputs, batch_index=batch_index)
    return network if outputs or batch_index is not None else network.read_from(Path(path))


def from_torch(model: torch.nn.Module, example: Any) -> Network:
    """A torch module as a network, exported in evaluation mode and compared with what the module itself computes.

    >>> import verifier
    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> network = verifier.from_torch(module, torch.zeros(1, 2))
    >>> network.input_size, network.output_size
    (2, 2)

    Args:
        model: any that torch's exporter takes; its mode stays what it is.
        example: an input with its batch dimension, which is 1: a tensor or an array of shape (1, ...). It gives the
            input's shape; for modules of several inputs a tuple of these.

    Raises:
        UsageError: torch is not installed, or it is no module, or no such example.
        ModelError: the module does not take the example, cannot be exported, or the export computes something else.
    """
    try:
        from verifier.models.torch_module import from_torch as exported
    except ImportError as error:
        raise missing_package(error) or error from error
    return exported(model, example)


def load_property(path: str | Path, network: Network | None = None, allow_empty: bool = False) -> Query:
    """Reads a VNN-LIB property, version 1.0 or 2.0 (``.vnnlib`` or ``.vnnlib.gz``).

    With `network` given, the sizes are checked against it. Where bounds cross, so that there is no input at all, the
    file is refused unless `allow_empty`: such a query is vacuously `unsat`.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/digits_dense.onnx")
    >>> query = verifier.load_property("vnnlib_specs/vnnlib/digits_dense_robust.vnnlib", network)
    >>> len(query.disjuncts)
    9

    Raises:
        PropertyError: the file is malformed or does not fit the network; the message gives the line. Or its bounds
            leave no input.
        UsageError: there is no such file.
    """
    if network is not None:
        _check_network(network)
    return _load_property(path, network, allow_empty).read_from(Path(path))


def load_query(
    path: str | Path, models: str | Path | Mapping[str, str | Path], allow_empty: bool = False
) -> tuple[Network, Query]:
    """Reads a VNN-LIB property with the models that it is about: several networks, and tensors within them.

    The network has all of them side by side, and the tensors that the property names as further outputs.

    >>> import verifier
    >>> network, query = verifier.load_query("vnnlib_specs/vnnlib/moons_upper.vnnlib", "vnnlib_specs/onnx/moons.onnx")
    >>> verifier.verify(network, query).status.value
    'unsat'

    Args:
        path: the property, of version 1.0 or 2.0.
        models: by the names of the networks that the property declares, without those that are equal to another; or
            the only one.
        allow_empty: as for `load_property`.

    Raises:
        VerifierError: a file cannot be read, or they do not fit.
        UsageError: a model is missing, or one too many.
    """
    given = models if isinstance(models, Mapping) else {ONLY: models}
    return load_question(path, given, allow_empty)


def robustness_query(
    network: Model,
    sample: Any,
    label: int | None = None,
    epsilon: float | None = None,
    norm: float | str = NORM,
    clip: tuple[float, float] | None = None,
    channels: str = "first",
) -> Query:
    """Asks whether an input near a sample makes some other class's output at least that of the sample's label.

    Args:
        network: a classifier, one output a class; a `Network` or any `Model`.
        sample: flat, or of the network's input shape up to axes of length 1; an array, a tensor, nested lists.
        label: the sample's class; None for the network's own, as ONNX Runtime computes it.
        epsilon: the ball's radius, which has to be given. It and the sample are taken as the float64 numbers that they
            are, exactly.
        norm: 1, 2 or `math.inf`; "l2" and the like will do.
        clip: the smallest and the largest value that any input can have, or None. The sample has to lie between them.
        channels: ``"last"`` where the sample has its channels last and the network before rows and columns.

    >>> import verifier
    >>> import numpy as np
    >>> network = verifier.load_network("vnnlib_specs/onnx/digits_dense.onnx")
    >>> query = verifier.robustness_query(network, np.full(64, 0.5), None, epsilon=0.01, norm=2)
    >>> verifier.verify(network, query).status.value
    'unsat'

    Raises:
        PropertyError: the sample does not fit the network or lies outside `clip`, a number is out of range or not
            finite.
        UsageError: an argument has a wrong type, or there is no such norm.
    """
    network = as_network(network, sample)
    if epsilon is None:
        raise UsageError("no radius", Argument("epsilon"), "give the ball's radius")
    x = as_input(sample, network.inputs, channels)
    radius = real(epsilon, "epsilon")
    neighbourhood = Neighbourhood(x, radius, norm_named(norm), limits(clip))
    kept = own_class(network, x) if label is None else whole(label, "label")
    sizes = network.input_size, network.output_size
    return _robustness_query(sizes, neighbourhood, kept, source=BY_NETWORK if label is None else BY_LABEL)


def always(network: Model, inputs: Condition, condition: Condition, name: str = "question") -> Query:
    """Asks whether a condition holds for all inputs of a set.

    >>> import verifier
    >>> from verifier.questions import box, class_stays
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> query = verifier.always(network, box([-0.2, 0.9], [0.2, 1.1]), class_stays(0))
    >>> verifier.verify(network, query).proved
    True

    Args:
        network: a `Network` or any `Model`, but for torch modules, which `from_torch` makes a network of.
        inputs: the set, of `verifier.questions`: boxes, balls, linear rows on `X`, joined by `&`, `|` and `~`.
        condition: what is to hold, on `X` and `Y`.
        name: for messages.

    Raises:
        PropertyError: an input is unbounded, or there is no such input, output or class.
        UsageError: one of them is no condition.
    """
    return never(network, inputs, ~of_type(condition, Condition, "condition", CONDITION), name)


def never(network: Model, inputs: Condition, condition: Condition, name: str = "question") -> Query:
    """Asks whether a condition, the violation, holds for no input of a set; see `always`.

    >>> import verifier
    >>> from verifier.questions import X, Y, box
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> query = verifier.never(network, box([-0.2, 0.9], [0.2, 1.1]) & (X[0] + X[1] <= 1), Y[1] >= Y[0])
    >>> verifier.verify(network, query).proved
    True
    """
    from verifier.questions.ask import query_of

    of_type(inputs, Condition, "inputs", CONDITION), of_type(condition, Condition, "condition", CONDITION)
    return query_of(as_network(network), inputs, condition, name)


def _check_network(network: Network) -> None:
    of_type(network, Network, "network", "give what load_network returns")
