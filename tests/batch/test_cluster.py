"""Runs on a Dask cluster: the same results as here, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client

from tests.batch.clusters import PATIENCE, ROOT, Cluster, alive, cluster, kill_group, until
from verifier.batch import executors
from verifier.batch.executors import Workers, cluster_executor
from verifier.batch.instances import read_instances
from verifier.batch.outcome import Fault
from verifier.batch.plan import Settings, planned
from verifier.batch.records import Result, read_places
from verifier.batch.runner import work_off
from verifier.batch.store import Store
from verifier.errors import UsageError

SPECS = ROOT / "vnnlib_specs"
COPIES = 4


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty quick instances, in four benchmarks."""
    folder = tmp_path_factory.mktemp("benchmarks")
    quick = [line for line in (SPECS / "instances.csv").read_text().splitlines() if "close" not in line]
    for copy in range(COPIES):
        shutil.copytree(SPECS, folder / f"copy{copy}")
        (folder / f"copy{copy}" / "instances.csv").write_text("\n".join(quick))
    return folder


def bench(path: Path, store: Path, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "verifier.cli.main", "bench", str(path), "--store", str(store), *map(str, options)]
    return subprocess.Popen(command, text=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    _, error = run.communicate(timeout=PATIENCE)
    return run.returncode, error


def has_results(run: subprocess.Popen[str], number: int) -> None:
    """Waits until a run has told that many results."""
    assert run.stdout is not None
    for _ in range(number):
        assert run.stdout.readline().startswith("[")


def results_of(store: Path) -> list[Result]:
    [(_, results)] = read_places([str(store)])
    return results


def verdicts(results: Sequence[Result]) -> dict[str, str]:
    return {result.name: str(result.verdict) for result in results}


def at_work(worker: psutil.Popen) -> list[psutil.Process]:
    """All processes of a Dask worker, where a job is under way in it: nanny, worker, warm process, the job's."""
    family = worker.children(recursive=True)
    warm = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            warm += "verifier.batch.warm" in process.cmdline()
    return family if warm > 1 else []


def test_a_run_is_completed_though_a_worker_is_killed(benchmarks: Path, tmp_path: Path) -> None:
    assert ended(bench(benchmarks / "copy0", tmp_path / "local.db", "--workers", 2)) == (0, "")
    with cluster(tmp_path, 3) as dask:
        run = bench(benchmarks, tmp_path / "cluster.db", "--cluster", dask.file)
        has_results(run, 5)
        family = killed(dask)
        assert ended(run) == (0, "")
        until(lambda: not any(alive(process) for process in family))
    results, local = results_of(tmp_path / "cluster.db"), verdicts(results_of(tmp_path / "local.db"))
    assert (len(local), len(results)) == (10, 10 * COPIES)
    expected = {
        name.replace("copy0", f"copy{copy}"): verdict for name, verdict in local.items() for copy in range(COPIES)
    }
    assert verdicts(results) == expected
    assert len({result.worker for result in results}) >= 2
    assert {result.fault for result in results} == {""}


def killed(dask: Cluster) -> list[psutil.Process]:
    """Kills a worker that has a job under way, so that it does not come back; its processes."""
    found: list[psutil.Process] = []

    def try_each() -> bool:
        for worker in dask.workers:
            if family := at_work(worker):
                kill_group(worker)
                found.extend(family)
                return True
        return False

    until(try_each)
    return found


def test_a_run_goes_on_after_an_interruption_and_after_the_schedulers_end(benchmarks: Path, tmp_path: Path) -> None:
    store, half = tmp_path / "r.db", ("--only", "copy[01]/*")
    with cluster(tmp_path, 1) as dask:
        run = bench(benchmarks, store, *half, "--cluster", dask.file)
        has_results(run, 3)
        run.send_signal(signal.SIGINT)
        status, error = ended(run)
        assert (status, error.count("\n"), "--resume" in error) == (130, 1, True)
        with Client(scheduler_file=str(dask.file), set_as_default=False) as client:
            until(lambda: not client.run_on_scheduler(tasks))
        run = bench(benchmarks, store, *half, "--cluster", dask.file, "--resume")
        has_results(run, 3)
        kill_group(dask.scheduler)
        status, error = ended(run)
        assert (status, error.count("\n"), "--resume" in error) == (2, 1, True), error
    results = results_of(store)
    done = {result.name: result.ended for result in results if result.verdict is not None}
    assert 6 <= len(done) < len(results)
    assert {result.fault for result in results} == {""}
    assert ended(bench(benchmarks, store, *half, "--workers", 2, "--resume")) == (0, "")
    results = results_of(store)
    assert {result.name: result.ended for result in results if result.name in done} == done
    assert all(result.solved for result in results)


def test_a_cluster_without_workers_is_told_and_waited_for(benchmarks: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, 0) as dask:
        run = bench(benchmarks / "copy0", tmp_path / "r.db", "--cluster", dask.file)
        assert run.stderr is not None
        assert "the cluster has no workers" in run.stderr.readline()
        dask.add_worker()
        status, error = ended(run)
    assert (status, error.count("\n"), "there are workers now: 1 at a time" in error) == (0, 1, True), error
    assert all(result.solved for result in results_of(tmp_path / "r.db"))


def tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


@pytest.mark.parametrize("place", ["tcp://127.0.0.1:1", "tcp://no.such.host.invalid:1", "carrier-pigeon://roof"])
def test_nobody_answers(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT", 0.5)
    with pytest.raises(UsageError, match="no Dask scheduler answers") as raised, cluster_executor(place):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, "[]"])
def test_no_scheduler_file_is_one_line(content: str | None, benchmarks: Path, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_text(content)
    status, error = ended(bench(benchmarks, tmp_path / "r.db", "--cluster", file))
    assert (status, error.count("\n"), "scheduler file" in error) == (2, 1, True)


def test_without_dask_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="pip install distributed"), cluster_executor("tcp://127.0.0.1:1"):
        pass


class KilledWorker(Exception):
    """As Dask's."""


class Failing(Executor):
    """Every job fails with the same exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


def worked_off(store: Path, executor: Executor) -> None:
    items = planned(read_instances(SPECS, "*/moons/*"), Settings())
    with Store(store) as opened:
        run = opened.begin(items, Settings(), {})
        work_off(opened, run, Settings(), Workers(executor, None, lambda: None), lambda results: None, print)


def test_an_item_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    worked_off(tmp_path / "r.db", Failing(KilledWorker()))
    assert {(str(r.verdict), r.fault) for r in results_of(tmp_path / "r.db")} == {("error", str(Fault.LOST))}


def test_workers_that_cannot_work_are_no_verdict_on_an_item(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No module named 'verifier'"):
        worked_off(tmp_path / "r.db", Failing(ModuleNotFoundError("No module named 'verifier'")))
    assert {r.verdict for r in results_of(tmp_path / "r.db")} == {None}
