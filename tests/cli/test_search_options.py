"""What the shell says of a search: the explanation, the history in JSON, the limits it takes."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from verifier import load_network, load_property
from verifier.cli.live import LiveLine, described
from verifier.cli.options import DECLARED
from verifier.cli.verify import Effort, Question
from verifier.evidence.result_files import HISTORY, history_records
from verifier.methods import METHODS, Options, Task
from verifier.verdict import Progress

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
NETWORK, PROPERTY = SPECS / "onnx" / "digits_conv.onnx", SPECS / "vnnlib" / "digits_conv_close.vnnlib"
COMMAND = [sys.executable, "-m", "verifier.cli.main", "verify", str(NETWORK), str(PROPERTY)]


def test_explanation_and_history(tmp_path: Path) -> None:
    record = tmp_path / "out.json"
    options = ["--explain", "--json", str(record), "--memory", "500", "--threads", "1"]
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stdout.split()[0] == "unsat"
    assert "functions are cut" in done.stdout
    data = json.loads(record.read_text())
    assert data["memory"] == 500
    assert data["threads"] == 1
    assert any("functions are cut" in line for line in data["explanation"])
    assert isinstance(data["history"], list)


def test_histories_are_thinned_and_finite() -> None:
    history = [Progress(0.1 * k, k, 2 * k, -math.inf if k < 5 else -1.0 / (k + 1)) for k in range(1000)]
    records = history_records(history)
    assert len(records) <= HISTORY
    assert records[-1] == {"seconds": 99.9, "open": 999, "explored": 1998, "bound": -0.001}
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert history_records(history[:3])[0]["bound"] is None
    assert history_records([]) == []


@pytest.mark.parametrize("option", [["--memory", "0"], ["--threads", "0"], ["--threads", "two"]])
def test_limits_out_of_range_are_usage_errors(option: list[str]) -> None:
    done = subprocess.run([*COMMAND, *option], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert option[0] in done.stderr


HANGS = """
import sys, time
from verifier.cli import live
from verifier.methods import registry
live.PATIENCE = 0.0
registry.unconstrained.judge_unconstrained = lambda task: time.sleep(60)
from verifier.cli.main import main
main()
"""


def on_a_terminal(command: list[str]) -> str:
    """What a command sends to a terminal that is both its standard output and its standard error."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        sent = b""
        while True:
            try:
                part = os.read(leader, 1 << 16)
            except OSError:  # Linux says so when the other end is closed
                part = b""
            if not part:
                break
            sent += part
        os.close(leader)
        process.wait(timeout=120)
    return sent.decode()


@pytest.mark.parametrize("hangs", [False, True])
def test_the_live_line_is_wiped_before_the_verdict(hangs: bool) -> None:
    """Also where the watchdog has to answer, and leaves the process without any clean-up."""
    start = [sys.executable, "-c", HANGS, *COMMAND[3:], "--timeout", "5"] if hangs else COMMAND
    sent = on_a_terminal(start)
    shown, _, last = sent.rpartition("\x1b[2K")
    assert last.split()[0] == ("timeout" if hangs else "unsat")
    assert "\x1b[?25l" not in sent  # the cursor is never hidden, so it need not be shown again
    assert not hangs or " s  reading" in shown


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS, *COMMAND[3:], "--timeout", "3"], capture_output=True, text=True)
    assert (done.stdout.split()[0], done.stderr) == ("timeout", "")


def test_the_line_tells_stage_and_state() -> None:
    line = LiveLine(lambda: 1.5)
    line.start()
    assert line.text() == "   1.5 s  reading"
    task = Task(load_network(NETWORK), load_property(PROPERTY))
    line.watch(task)
    task.on_stage("split_neurons")
    assert line.text() == f"   1.5 s  split_neurons, {len(task.query.disjuncts)} disjuncts open"
    task.advanced(3, 7, -0.5)
    assert line.text() == "   1.5 s  split_neurons, 3 domains open, 7 explored, worst bound -0.5"
    line.proving(12)
    assert line.text() == "   1.5 s  writing the proof, 12 cases"
    line.stop()


def test_a_check_tells_how_far_it_is() -> None:
    line = LiveLine(lambda: 1.5, "checking")
    assert line.text() == "   1.5 s  checking"
    line.cases(7)
    assert line.text() == "   1.5 s  checking, 7 cases"


def test_the_help_and_the_defaults_are_those_of_the_library() -> None:
    declared = {item.name: item.metadata[DECLARED] for group in (Question, Effort) for item in fields(group)}
    assert re.findall(r"[a-z]+", declared["method"].help.replace(" or ", " ")) == list(METHODS)
    defaults = Options()
    for name in ("seed", "device", "witness_tolerance", "memory", "threads"):
        assert declared[name].default == getattr(defaults, name)


def test_the_state_of_a_search_in_words() -> None:
    assert described(Progress(1.0, 3, 7, -0.5)) == "3 domains open, 7 explored, worst bound -0.5"
    assert described(Progress(1.0, 3, 7, -math.inf)).endswith("no bound yet")
