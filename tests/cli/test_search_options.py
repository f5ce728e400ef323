"""What the shell says of a search: the explanation, the history in JSON, the limits it takes."""

from __future__ import annotations

import json
import math
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from verifier.cli.live import described
from verifier.evidence.result_files import HISTORY, history_records
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


def test_the_live_line_is_on_standard_error_and_leaves_the_verdict_first(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(COMMAND, stdout=subprocess.PIPE, stderr=follower, text=True, timeout=120)
        os.close(follower)
        shown = os.read(leader, 1 << 16).decode(errors="replace")
    finally:
        os.close(leader)
    assert done.stdout.split()[0] == "unsat"
    assert "disjuncts open" in shown


def test_the_state_of_a_search_in_words() -> None:
    assert described(Progress(1.0, 3, 7, -0.5)) == "3 domains open, 7 explored, worst bound -0.5"
    assert described(Progress(1.0, 3, 7, -math.inf)).endswith("no bound yet")
