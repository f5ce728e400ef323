"""What the library decides and measures: verdicts, comparisons, radii, accuracies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.arguments import MEASURES, NORM, limits, names, norm_named, of_type, real, whole
from verifier.errors import Argument, PropertyError, UsageError
from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.evaluate import Accuracy, evaluate
from verifier.evaluation.options import AccuracyOptions
from verifier.evidence.result_files import check_writable, write_whole
from verifier.loading import Model, load_property, robustness_query
from verifier.methods import Options, Task, decide, method_named, run
from verifier.methods.comparison import Comparison, all_methods, compared
from verifier.methods.several import Several
from verifier.methods.several import counterexamples as several
from verifier.models import as_network, is_model
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.property.samples import as_input, as_inputs, real_numbers
from verifier.proving import Limits, made
from verifier.radii.bracket import Bracket
from verifier.radii.data import LabelledData
from verifier.radii.measure import RadiusOptions, measure
from verifier.radii.question import RadiusQuestion
from verifier.readers.samples import whole_labels
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from verifier.ranges.largest import Largest


def robust(
    network: Model,
    x: Any,
    epsilon: float,
    norm: float | str = NORM,
    clip: tuple[float, float] | None = None,
    labels: Any = None,
    method: str = "auto",
    options: Options | None = None,
    channels: str = "first",
) -> list[Verdict]:
    """Whether the class of each of a batch of samples stays what it is near the sample: a verdict for each.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> [verdict.status.value for verdict in verifier.robust(network, [[0.0, 1.0], [0.2, 0.7]], epsilon=0.1)]
    ['unsat', 'sat']

    Args:
        network: a classifier, one output a class; a `Network` or any `Model`.
        x: samples, shape (N, ...); an array, a tensor, nested lists.
        epsilon, norm, clip, channels: as for `robustness_query`.
        labels: their classes, shape (N,); None for the network's own.
        method, options: as for `verify`; the timeout is for each sample.

    Raises:
        PropertyError: a sample does not fit the network or lies outside `clip`, or there are not as many labels.
        UsageError: an argument has a wrong type, or there is no such norm or method.
    """
    samples = _several(x)
    network, chosen, set_by = as_network(network, samples[0]), method_named(method), _options(options)
    known = [None] * len(samples) if labels is None else whole_labels(_labels(labels), len(samples), "labels")
    queries = [
        robustness_query(network, sample, label, epsilon, norm, clip, channels)
        for sample, label in zip(samples, known, strict=True)
    ]
    return [decide(network, query, chosen, set_by) for query in queries]


def verify(
    network: Model,
    query: Query | str | Path,
    method: str = "auto",
    options: Options | None = None,
    proof: str | Path | None = None,
) -> Verdict:
    """Decides whether the query's violation exists.

    Args:
        network: a `Network` or any `Model`.
        query: describes a violation; `unsat` means that there is none: the property holds. Or a VNN-LIB file's path.
        method: a name of `verifier.methods.METHODS`.
        options: timeout (seconds), seed, device, witness tolerance.
        proof: where to write a proof of `unsat`, or the witness of `sat`, for `verifier check`, in what is left of the
            time and memory; the verdict's `proof` says what became of it. Network and query must come from files.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/digits_dense.onnx")
    >>> query = verifier.load_property("vnnlib_specs/vnnlib/digits_dense_robust.vnnlib", network)
    >>> verifier.verify(network, query).status.value
    'unsat'

    Raises:
        PropertyError: the query's sizes are not the network's.
        UsageError: there is no such method; or a proof is asked for of what is no file's, or cannot be written.
    """
    network, query = _fitting(network, query)
    chosen, set_by = method_named(method), _options(options)
    if proof is None:
        return decide(network, query, chosen, set_by)
    target, files = Path(proof), _sources(network, query)
    check_writable(target, Argument("proof"))
    task = Task(network, query, set_by)
    verdict = run(task, chosen)
    written = made(*files, verdict, task, Limits(max(0.001, task.deadline.remaining), memory=set_by.memory))
    if written.contents is not None:
        write_whole(target, written.contents)
    return replace(verdict, proof=written.note)


def counterexamples(
    network: Model,
    query: Query | str | Path,
    count: int = 10,
    method: str = "auto",
    options: Options | None = None,
) -> Several:
    """Up to so many counterexamples that differ: by disjunct (or class) first, then by where they lie.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> several = verifier.counterexamples(network, "vnnlib_specs/vnnlib/moons_everywhere.vnnlib", 3)
    >>> len(several), len({witness.x.tobytes() for witness in several.witnesses})
    (3, 3)

    Args:
        network, query, method: as for `verify`.
        count: at most.
        options: the timeout is for all together.

    Raises:
        PropertyError: the query's sizes are not the network's.
        UsageError: there is no such method.
    """
    network, query = _fitting(network, query)
    if whole(count, "count") < 1:
        raise UsageError(f"{count} counterexamples", Argument("count"), "give a whole number from 1 on")
    return several(network, query, whole(count, "count"), method_named(method), _options(options))


def largest(
    network: Model,
    query: Query | str | Path,
    clip: tuple[float, float] | None = None,
    gap: float = 0.01,
    method: str = "auto",
    options: Options | None = None,
) -> Largest:
    """How far a property holds: the largest multiple of its boxes that is proved, beside the smallest that is refuted.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> far = verifier.largest(network, "vnnlib_specs/vnnlib/moons_upper.vnnlib")
    >>> 1 <= far.proved < far.refuted <= 1.02 * far.proved
    True

    Args:
        network, query, method: as for `verify`. Boxes are scaled about their middles, balls about their centres.
        clip: the smallest and the largest value that any input can have, or None.
        gap: the relative gap between the two at which it is left.
        options: the timeout is for all questions together.

    Raises:
        PropertyError: the query's sizes are not the network's, a box is unbounded, or lies outside `clip`.
        UsageError: an argument has a wrong type.
    """
    from verifier.ranges.largest import largest as bracketed

    network, query = _fitting(network, query)
    if not real(gap, "gap") > 0:
        raise UsageError(f"a gap of {gap}", Argument("gap"), "give a number above 0")
    return bracketed(network, query, method_named(method), _options(options), gap, limits(clip))


def _sources(network: Network, query: Query) -> tuple[Path, Path]:
    """The files that a proof is about.

    Raises:
        UsageError: one of the two is not all of a file.
    """
    if network.source is None or query.source is None:
        what = "network" if network.source is None else "query"
        cause = f"proofs are of a model file and a property file, and the {what} is not all of one"
        raise UsageError(cause, Argument("proof"), "give what load_network and load_property return")
    return network.source, query.source


def compare(
    network: Model, query: Query | str | Path, methods: Sequence[str] | None = None, options: Options | None = None
) -> Comparison:
    """Asks several methods the same question, each within its share of the time, and sets their answers side by side.

    Args:
        network, query: as for `verify`.
        methods: names of `verifier.methods.METHODS`, in the order they are asked; all of them if not given.
        options: for all of them; the timeout is for all together.

    >>> import verifier
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> query = verifier.load_property("vnnlib_specs/vnnlib/moons_upper.vnnlib", network)
    >>> comparison = verifier.compare(network, query, ["crown", "milp"])
    >>> comparison.verdict.value, [answer.complete for answer in comparison.answers]
    ('unsat', [False, True])

    Raises:
        PropertyError: the query's sizes are not the network's.
        UsageError: there is no such method.
    """
    network, query = _fitting(network, query)
    chosen = all_methods() if methods is None else names(methods, "methods")
    return compared(network, query, chosen or all_methods(), _options(options))


def radius(
    network: Model,
    sample: Any,
    label: int | None = None,
    norm: float | str = NORM,
    options: RadiusOptions | None = None,
    channels: str = "first",
    progress: Callable[[Bracket], None] | None = None,
) -> Bracket:
    """Brackets the minimal adversarial perturbation of a sample: the distance to where another class leads or ties.

    Args:
        network: a classifier, one output a class; a `Network` or any `Model`.
        sample: flat, or of the network's input shape up to axes of length 1; rounded to the type of the
            network's input (float32 for float64).
        label: the sample's class; None for the network's own, as ONNX Runtime computes it.
        norm: 1, 2 or `math.inf`; 0 counts the entries that an attack has to change, and has no certificates.
        options: methods, the data's range, timeout (60 s if not given).
        channels: as for `robustness_query`.
        progress: called with what is known whenever a method has come to its end.

    >>> import verifier
    >>> import numpy as np
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> bracket = verifier.radius(network, np.array([0.0, 1.0]), norm=2)
    >>> low, high = bracket.interval
    >>> 0 < low <= high <= low * 1.002, bracket.exact, bracket.lower.standing.value
    (True, True, 'certified')

    Raises:
        PropertyError: the sample does not fit the network or lies outside `clip`, a number is out of range or not
            finite.
        UsageError: an argument has a wrong type, or there is no such norm.
    """
    network = as_network(network, sample)
    if options is not None:
        of_type(options, RadiusOptions, "options", "give verifier.RadiusOptions(...)")
    options = options or RadiusOptions()
    x = as_input(sample, network.inputs, channels)
    kept = None if label is None else whole(label, "label")
    question = RadiusQuestion(network, x, kept, norm_named(norm, MEASURES), options.clip)
    return measure(question, options, progress or (lambda bracket: None))


def accuracy(
    network: Model,
    x: Any,
    labels: Any,
    options: AccuracyOptions,
    workers: int = 1,
    channels: str = "first",
    progress: Callable[[SampleAnswers], None] | None = None,
) -> Accuracy:
    """The robust accuracy on samples: for each size of perturbation, what is certified, what is broken.

    Args:
        network: a classifier, one output a class; a `Network` or any `Model`.
        x: samples, shape (N, ...), each flat or of the network's input shape up to axes of length 1; rounded to
            the type of the network's input (float32 for float64).
        labels: their classes, integers, shape (N,).
        options: sizes, norm, methods, the data's range.
        workers: processes that work at the same time; a script that asks for several has to be importable, as those of
            Python's multiprocessing always have (`if __name__ == "__main__"`).
        channels: as for `robustness_query`.
        progress: called with each sample's answers as they come.

    >>> import verifier
    >>> import numpy as np
    >>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
    >>> options = verifier.AccuracyOptions(epsilons=[0.05, 0.5], norm=2, methods=["fmn", "crown"])
    >>> found = verifier.accuracy(network, np.array([[0.0, 1.0], [1.0, -0.5]]), np.array([0, 1]), options)
    >>> [(size.epsilon, size.by_any.count, size.unbroken.count) for size in found.summary.sizes]
    [(0.05, 2, 2), (0.5, 0, 0)]

    Raises:
        PropertyError: a sample does not fit the network, or there are not as many labels as samples.
        UsageError: a worker has died.
    """
    of_type(options, AccuracyOptions, "options", "give verifier.AccuracyOptions(epsilons=[...])")
    samples = _several(x)
    network = as_network(network, samples[0])
    rows = as_inputs(samples, network.inputs, channels)
    data = LabelledData("samples", rows, whole_labels(_labels(labels), len(rows), "labels"))
    told = progress or (lambda answers: None)
    return evaluate(network, data, range(len(rows)), options, whole(workers, "workers"), on_sample=told)


def _options(options: Options | None) -> Options:
    return Options() if options is None else of_type(options, Options, "options", "give verifier.Options(...)")


def _fitting(model: Model, asked: Query | str | Path) -> tuple[Network, Query]:
    """The network and the query, which ask about the same sizes.

    Raises:
        PropertyError: they do not.
        UsageError: one of them is neither a file nor what is asked for.
    """
    network = None if is_model(model) else as_network(model)
    query = load_property(asked, network) if isinstance(asked, str | Path) else asked
    of_type(query, Query, "query", "give what load_property or robustness_query returns, or a VNN-LIB file's path")
    if network is None:
        network = as_network(model, query.centre if query.kept is None else query.kept.sample)
    if (query.input_size, query.output_size) != (network.input_size, network.output_size):
        raise PropertyError(
            f"the property has {query.input_size} inputs and {query.output_size} outputs, "
            f"the network {network.input_size} and {network.output_size}",
            query.name,
            "give the property that belongs to this network",
        )
    return network, query


def _several(x: Any) -> np.ndarray:
    """Samples as an array of shape (N, ...).

    Raises:
        PropertyError: there is none.
    """
    samples = real_numbers(x)
    if samples.ndim < 1 or not len(samples):
        raise PropertyError("no samples", fix="give an array of shape (N, ...) with N from 1 on")
    return samples


def _labels(labels: Any) -> np.ndarray:
    """Labels as an array, from a tensor as well."""
    return np.asarray(labels.detach().cpu() if callable(getattr(labels, "detach", None)) else labels)
