"""All samples, several at a time, each in a process of its own kind; the answers do not depend on how many."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np

from verifier.errors import UsageError
from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.sample import answers_about
from verifier.network.graph import Network
from verifier.radii.question import RadiusQuestion
from verifier.radii.smoothed import Smoothing


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a data set: its number there, its entries, shape (input_size,), and its class."""

    number: int
    x: np.ndarray
    label: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is done with each sample.

    Attributes:
        network: a classifier, read from a model.
        options: what is asked.
        smoothing: with the alpha of one statement.
    """

    network: Network
    options: AccuracyOptions
    smoothing: Smoothing

    def question(self, sample: Sample) -> RadiusQuestion:
        """Raises what does not fit."""
        return RadiusQuestion(self.network, sample.x, sample.label, self.options.norm, self.options.clip)

    def answers(self, sample: Sample) -> SampleAnswers:
        """What all methods say of one sample."""
        return answers_about(self.question(sample), sample.number, self.options, self.smoothing)


def evaluated(evaluation: Evaluation, samples: Sequence[Sample], workers: int) -> Iterator[SampleAnswers]:
    """The answers about each sample, in the order in which they come.

    Args:
        evaluation: what is done.
        samples: with which.
        workers: processes, each on one core; with one, it is done here.

    Raises:
        UsageError: a process has died, for want of memory perhaps.
    """
    if workers <= 1 or len(samples) <= 1:
        yield from (evaluation.answers(sample) for sample in samples)
        return
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(samples))
    pool = ProcessPoolExecutor(count, context, initializer=_start, initargs=(evaluation,))
    try:
        yield from _as_they_come(pool.submit, samples, 2 * count)
    except BrokenProcessPool as error:
        raise UsageError("a worker has died", "accuracy", "give fewer --workers, and --resume") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _as_they_come(
    submit: Callable[..., Future[SampleAnswers]], samples: Sequence[Sample], ahead: int
) -> Iterator[SampleAnswers]:
    """Gives out a few samples at a time, so that what is left can be given up."""
    waiting, pending = list(reversed(samples)), set[Future[SampleAnswers]]()
    while waiting or pending:
        while waiting and len(pending) < ahead:
            pending.add(submit(_work, waiting.pop()))
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


_EVALUATION: list[Evaluation] = []
"""Of a worker process, which is given it once."""


def _start(evaluation: Evaluation) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who asked decides
    _EVALUATION[:] = [evaluation]


def _work(sample: Sample) -> SampleAnswers:
    return _EVALUATION[0].answers(sample)
