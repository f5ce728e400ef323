"""The robust accuracy of a network on a data set: what is asked, what is known, what is missing, what it comes to."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.errors import PropertyError
from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.run import Evaluation, Sample, evaluated
from verifier.evaluation.store import Store
from verifier.evaluation.summary import Summary, summarised
from verifier.network.graph import Network
from verifier.radii.data import LabelledData
from verifier.radii.smoothed import SMOOTHED
from verifier.shown import Shown

OpenStore = Callable[[dict[str, Any]], Store]


@dataclass(frozen=True, eq=False, repr=False)
class Accuracy(Shown):
    """The robust accuracy of a network.

    Attributes:
        options: what was asked.
        asked: the same with hashes of network and data, in a form that files can hold.
        answers: about each sample, by number.
        summary: the shares.
    """

    options: AccuracyOptions
    asked: dict[str, Any]
    answers: tuple[SampleAnswers, ...]
    summary: Summary

    def facts(self) -> Iterable[tuple[str, str]]:
        """The shares of the samples."""
        clean = self.summary.clean
        yield "classified rightly", f"{clean.count} of {clean.of}"
        for size in self.summary.sizes:
            yield f"certified at {size.epsilon:g}", f"{size.by_any.count} (not broken: {size.unbroken.count})"

    def to_dict(self) -> dict[str, Any]:
        """The shares and each sample's answers, for JSON."""
        from verifier.evaluation.answers import to_record
        from verifier.evaluation.files import record

        shares = record(self.summary, self.asked, self.claim)
        return shares | {"answers": [to_record(answers) for answers in self.answers]}

    @property
    def crossings(self) -> list[SampleAnswers]:
        """Samples at which a proof and a perturbation contradict each other: defects."""
        return [answers for answers in self.answers if answers.crossings]

    @property
    def claim(self) -> str:
        """How the statements about the smoothed network hold."""
        if not any(name in SMOOTHED for name in self.options.methods):
            return "no statement is probabilistic"
        alpha, count = self.options.smoothing.options.alpha, len(self.answers)
        if self.options.joint:
            each = f"each at {alpha / count:.3g}"
            told = f"all {count} statements of a method about the smoothed network hold"
            return f"{told} but for a chance of {alpha:g} ({each})"
        return f"each statement about the smoothed network holds but for a chance of {alpha:g}; all at once do not"


def evaluate(
    network: Network,
    data: LabelledData,
    samples: Sequence[int],
    options: AccuracyOptions,
    workers: int = 1,
    open_store: OpenStore | None = None,
    on_sample: Callable[[SampleAnswers], None] = lambda answers: None,
) -> Accuracy:
    """Asks all methods about all samples.

    Args:
        network: a classifier, read from a model.
        data: with labels.
        samples: their numbers, one at least.
        options: what is asked.
        workers: processes that work at the same time; the answers do not depend on it.
        open_store: opens the file that keeps answers, given what is asked; none is kept without.
        on_sample: called with each sample's answers as they come, those known before first.

    Raises:
        PropertyError: the data has no labels, or a sample does not fit.
        UsageError: the store cannot be used.
    """
    if data.labels is None:
        raise PropertyError("the data has no labels", data.name, "give classes: accuracy is about right ones")
    evaluation = Evaluation(network, options, options.alphas(len(samples)))
    chosen = [Sample(number, data.x[number], int(data.labels[number])) for number in samples]
    for sample in chosen:
        evaluation.question(sample)  # says what does not fit before the work
    asked = described(network, data, samples, options)
    store = None if open_store is None else open_store(asked)
    known = {} if store is None else {n: a for n, a in store.known.items() if n in set(samples)}
    for answers in known.values():
        on_sample(answers)
    for answers in evaluated(evaluation, [s for s in chosen if s.number not in known], workers):
        known[answers.sample] = answers
        if store is not None:
            store.add(answers)
        on_sample(answers)
    ordered = tuple(known[number] for number in sorted(known))
    return Accuracy(options, asked, ordered, summarised(ordered, options))


def described(network: Network, data: LabelledData, samples: Sequence[int], options: AccuracyOptions) -> dict[str, Any]:
    """What is asked, with everything that the answers depend on."""
    assert data.labels is not None
    content = hashlib.sha256(np.ascontiguousarray(data.x[list(samples)]).tobytes())
    content.update(data.labels[list(samples)].tobytes() + np.asarray(samples, np.int64).tobytes())
    drawn = options.smoothing.options
    return {
        "network": network.name,
        "network sha256": hashlib.sha256(network.model).hexdigest(),
        "data": data.name,
        "data sha256": content.hexdigest(),
        "norm": "inf" if math.isinf(options.norm) else int(options.norm),
        "epsilons": " ".join(repr(e) for e in options.epsilons),
        "methods": " ".join(options.methods),
        "clip": "" if options.clip is None else " ".join(repr(float(end)) for end in options.clip),
        "timeout": options.timeout,
        "seed": options.seed,
        "sigma": options.smoothing.sigma,
        "selection draws": drawn.selection,
        "draws": drawn.estimation,
        "alpha": drawn.alpha / len(samples) if options.joint else drawn.alpha,
        "joint": options.joint,
    }
