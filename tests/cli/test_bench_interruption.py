"""One interruption ends a run; others that follow at once disturb neither its end nor what is told."""

from __future__ import annotations

import os
import signal

import pytest

from verifier.batch.executors import Workers
from verifier.batch.progress import Tally
from verifier.cli import bench_work, bench_workers
from verifier.cli.bench_workers import WorkerWatch

BOTH = signal.SIGTERM, signal.SIGINT


@pytest.fixture(autouse=True)
def _handlers() -> object:
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupted(*numbers: signal.Signals) -> int:
    """Sends this process signals, one after the other; how many of them were heard."""
    heard = 0
    with bench_work._interruptible():
        for number in numbers:
            try:
                os.kill(os.getpid(), number)
            except KeyboardInterrupt:
                heard += 1
    return heard


@pytest.mark.parametrize("first", BOTH)
@pytest.mark.parametrize("second", BOTH)
def test_a_second_interruption_is_ignored(first: signal.Signals, second: signal.Signals) -> None:
    assert interrupted(first, second) == 1


def test_an_interruption_counts_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end may hang, or the first have been lost in a place that swallows exceptions."""
    monkeypatch.setattr(bench_work, "LEAVING", -1.0)
    assert interrupted(*BOTH) == 2


def test_a_run_without_interruption_leaves_the_handlers_as_they_were() -> None:
    before = [signal.getsignal(number) for number in BOTH]
    with bench_work._interruptible():
        pass
    assert [signal.getsignal(number) for number in BOTH] == before


def test_workers_that_go_and_come_are_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_workers, "INTERVAL", 0.0)
    counts = iter([0, 0, None, 0, 3, 3, 0, 5])
    tally = Tally(1)
    watch = WorkerWatch(Workers(None, None, lambda: next(counts)), tally)  # type: ignore[arg-type]
    told = []
    for _ in range(8):
        watch.look()
        told.append(capsys.readouterr().err)
    assert [bool(text) for text in told] == [False, True, False, False, True, False, False, False]
    assert "the cluster has no workers" in told[1]
    assert "there are workers now: 3 at a time" in told[4]
    assert tally.workers == 5
