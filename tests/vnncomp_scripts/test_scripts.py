"""VNN-COMP's scripts, called as its harness calls them: from a folder of its own, with a results file made before."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import verifier

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "vnncomp_scripts"
SPECS = ROOT / "vnnlib_specs"
HOLDS = "onnx/digits_dense.onnx", "vnnlib/digits_dense_robust.vnnlib"
FAILS = "onnx/moons.onnx", "vnnlib/moons_everywhere.vnnlib"
BEFORE = "no_result_in_file\n"


class Harness:
    """What the competition does, in a folder whose name has a space and in which a module is called as ours."""

    def __init__(self, folder: Path, scripts: Path = SCRIPTS, python: str | None = sys.executable) -> None:
        self.scripts, self.folder = scripts, folder / "the harness"
        self.environment = {name: value for name, value in os.environ.items() if name != "VERIFIER_PYTHON"}
        if python is not None:
            self.environment["VERIFIER_PYTHON"] = python
        shutil.copytree(SPECS, self.folder / "specs 1")
        (self.folder / "verifier.py").write_text("raise SystemExit('not this one')")
        self.results = self.folder / "out.txt"
        self.results.write_text(BEFORE)

    def start(self, script: str, *arguments: str, version: str = "v1") -> subprocess.Popen[str]:
        command = [str(self.scripts / script), version, *arguments]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, text=True, cwd=self.folder, env=self.environment, **streams)  # type: ignore[call-overload,no-any-return]

    def call(self, script: str, *arguments: str, version: str = "v1") -> tuple[int, str]:
        process = self.start(script, *arguments, version=version)
        _, error = process.communicate(timeout=300)
        return process.returncode, error

    def run(self, network: str, prop: str, timeout: str = "60") -> str:
        """What an instance leaves in the results file."""
        status, error = self.call("run_instance.sh", "test", network, prop, "out.txt", timeout)
        assert status == 0, error
        return self.results.read_text()


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def as_python(harness: Harness, script: str) -> None:
    """Puts a shell script where the scripts expect Python."""
    path = harness.folder / "python"
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)
    harness.environment["VERIFIER_PYTHON"] = str(path)


def is_a_violation(text: str, prop: Path) -> bool:
    word, _, rest = text.partition("\n")
    pairs = re.findall(r"\(([XY])_\d+ ([^\s()]+)\)", rest)
    x, y = (np.array([float(value) for kind, value in pairs if kind == which]) for which in "XY")
    return word == "sat" and bool(verifier.load_property(prop).violated(x.astype(np.float32), y))


def test_an_instance_is_prepared_without_a_result_and_proved(harness: Harness) -> None:
    network, prop = (f"specs 1/{path}" for path in HOLDS)
    assert harness.call("prepare_instance.sh", "test", network, prop) == (0, "")
    assert harness.results.read_text() == BEFORE
    assert harness.run(network, prop) == "unsat\n"


def test_a_refuted_one_leaves_its_counterexample(harness: Harness) -> None:
    text = harness.run(*(str(harness.folder / "specs 1" / path) for path in FAILS))
    assert is_a_violation(text, SPECS / FAILS[1])


def test_zipped_files_are_read(harness: Harness) -> None:
    for path in FAILS:
        plain = harness.folder / "specs 1" / path
        plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    text = harness.run(*(f"specs 1/{path}.gz" for path in FAILS))
    assert is_a_violation(text, SPECS / FAILS[1])


def test_a_link_to_the_scripts_leads_to_this_repository(harness: Harness) -> None:
    for script in ("prepare_instance.sh", "run_instance.sh"):
        (harness.folder / script).symlink_to(SCRIPTS / script)
    harness.scripts = harness.folder
    assert harness.call("prepare_instance.sh", "test", *HOLDS) == (0, "")
    assert harness.run(*(f"specs 1/{path}" for path in HOLDS)) == "unsat\n"


@pytest.mark.parametrize("network", ["specs 1/README.md", "absent.onnx", "--help", "[('f', 'a.onnx')]"])
def test_an_unusable_model_is_an_error(harness: Harness, network: str) -> None:
    assert harness.run(network, f"specs 1/{HOLDS[1]}") == "error\n"


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("install_tool.sh", ()),
        ("prepare_instance.sh", ("test", *HOLDS)),
        ("run_instance.sh", ("test", *HOLDS, "out.txt", "60")),
    ],
)
def test_another_version_or_number_of_arguments_is_refused(
    harness: Harness, script: str, arguments: tuple[str, ...]
) -> None:
    status, error = harness.call(script, *arguments, version="v2")
    assert (status, "v2" in error) == (1, True)
    status, error = harness.call(script, *arguments, "more")
    assert (status, "arguments" in error) == (1, True)
    assert harness.results.read_text() == BEFORE


@pytest.mark.parametrize("timeout", ["0", "-1", "soon", ""])
def test_a_timeout_that_is_none_is_refused(harness: Harness, timeout: str) -> None:
    status, error = harness.call("run_instance.sh", "test", *HOLDS, "out.txt", timeout)
    assert (status, "timeout" in error) == (1, True)


def test_without_an_environment_preparing_fails_and_says_what_to_do(harness: Harness) -> None:
    harness.environment["VERIFIER_PYTHON"] = "/absent/python"
    status, error = harness.call("prepare_instance.sh", "test", *HOLDS)
    assert (status, "install_tool.sh" in error) == (1, True)


def test_the_verifier_is_given_less_time_than_there_is_and_all_cores(harness: Harness) -> None:
    as_python(harness, 'printf "%s\\n" "$@" >arguments')
    harness.run("a.onnx", "b.vnnlib", "116.5")
    arguments = (harness.folder / "arguments").read_text().splitlines()
    value = {name: arguments[arguments.index(name) + 1] for name in ("--timeout", "--threads", "--result")}
    assert value == {"--timeout": "115.000", "--threads": str(len(os.sched_getaffinity(0))), "--result": "out.txt"}
    assert arguments[-3:] == ["--", "a.onnx", "b.vnnlib"]


def test_a_verifier_that_does_not_end_is_killed_in_time(harness: Harness) -> None:
    as_python(harness, "trap '' TERM\necho $$ >pid\nsleep 1000")
    assert harness.run(*HOLDS, timeout="1.5") == "timeout\n"
    number = int((harness.folder / "pid").read_text())
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_a_verifier_that_crashes_is_an_error(harness: Harness) -> None:
    as_python(harness, "kill -SEGV $$")
    assert harness.run(*HOLDS) == "error\n"


def test_a_verdict_that_is_written_outlives_a_crash(harness: Harness) -> None:
    as_python(harness, "echo sat >out.txt\nexit 70")
    assert harness.run(*HOLDS) == "sat\n"


def test_ended_from_outside_the_result_file_is_there(harness: Harness) -> None:
    os.mkfifo(harness.folder / "endless.onnx")
    process = harness.start("run_instance.sh", "test", "endless.onnx", HOLDS[1], "out.txt", "1000")
    started(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (process.returncode, harness.results.read_text()) == (0, "timeout\n")


def test_leftovers_end_and_other_programs_do_not(harness: Harness) -> None:
    os.mkfifo(harness.folder / "endless.onnx")
    script = harness.start("run_instance.sh", "test", "endless.onnx", HOLDS[1], "out.txt", "1000")
    leftover = started(script)
    script.kill()
    script.wait()
    sleep = "import time; time.sleep(1000)"
    others = [subprocess.Popen([sys.executable, *extra, "-c", sleep]) for extra in ((), ("-X", "verifier_vnncomp=1"))]
    try:
        assert leftover.is_running()
        assert harness.call("prepare_instance.sh", "test", *HOLDS) == (0, "")
        psutil.wait_procs([leftover], 60)
        assert not leftover.is_running() or leftover.status() == psutil.STATUS_ZOMBIE
        assert [other.poll() for other in others] == [None, None]
    finally:
        for other in others:
            other.kill()
            other.wait()


def started(script: subprocess.Popen[str]) -> psutil.Process:
    """The verifier that a script has started."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for process in psutil.Process(script.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                if process.name().startswith("python") and process.num_threads() > 1:
                    return process
        time.sleep(0.02)
    raise AssertionError("no verifier was started")


@pytest.mark.slow
def test_a_clone_installs_itself_and_verifies(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    clone = tmp_path / "a clone"
    for name in listed.splitlines():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    harness = Harness(tmp_path, clone / "vnncomp_scripts", python=None)
    for _ in range(2):  # the second time it is there already
        status, error = harness.call("install_tool.sh")
        assert status == 0, error
    network, prop = (f"specs 1/{path}" for path in HOLDS)
    assert harness.call("prepare_instance.sh", "test", network, prop) == (0, "")
    assert harness.run(network, prop) == "unsat\n"
