"""Damaged model and property files: never a traceback, a hang or much memory; verdicts only of what the runtime loads.

    python -m benchmarks.fuzz.files [--seconds 3600] [--seed 0] [--only CASE]

Bytes and protobuf fields of models, s-expressions and numbers of properties are damaged, and the question is asked
through the library; one case in twenty through the shell as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

from benchmarks.fuzz import mutations
from benchmarks.fuzz.harness import Case, fuzz
from benchmarks.fuzz.operators import session
from verifier import Options, VerifierError, load_network, load_property, verify

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
TIMEOUT = 2.0
LIMIT = 30.0
SLACK = 4.0
STATUSES = {"unsat": 0, "sat": 1, "unknown": 3, "timeout": 3}
SHELL = 0.05
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
"""Characters that change the direction of text, and the mark of byte order."""


def pairs() -> list[tuple[Path, Path]]:
    """Small networks with each of their properties."""
    found = []
    for network in sorted((SPECS / "onnx").glob("*.onnx")):
        if network.stat().st_size < 60_000:
            found += [(network, prop) for prop in sorted((SPECS / "vnnlib").glob(f"{network.stem}*.vnnlib"))]
    return found


def work(case: Case) -> None:
    choices = pairs()
    network, prop = choices[int(case.rng.integers(len(choices)))]
    model, text = network.read_bytes(), prop.read_bytes()
    if case.rng.random() < 0.6:
        model = mutations.OF_MODELS[int(case.rng.integers(len(mutations.OF_MODELS)))](model, case.rng)
        what = "model"
    else:
        text = mutations.OF_TEXTS[int(case.rng.integers(len(mutations.OF_TEXTS)))](text, case.rng)
        what = "property"
    (case.folder / "net.onnx").write_bytes(model)
    (case.folder / "prop.vnnlib").write_bytes(text)
    ask(case, "net.onnx", "prop.vnnlib", what)


def ask(case: Case, net: str, prop: str, what: str) -> None:
    """Asks about two files in the case's folder, through the library and now and then through the shell."""
    if case.rng.random() < SHELL:
        through_shell(case, ["verify", net, prop, "--timeout", f"{TIMEOUT:g}"])
    try:
        network = load_network(case.folder / net)
        query = load_property(case.folder / prop, network)
        verdict = verify(network, query, options=Options(timeout=TIMEOUT, threads=1))
    except VerifierError as error:
        if not is_clean_line(str(error)):
            case.blame("message is no clean line", repr(str(error)))
        case.count(f"{what}: {type(error).__name__}")
        return
    case.count(f"{what}: {verdict.status.value}")
    if verdict.seconds > TIMEOUT + SLACK:
        case.blame("late", f"{verdict.seconds:.1f} s")
    if verdict.status.value in ("sat", "unsat"):
        try:
            session(network.model)
        except Exception as error:
            case.blame(f"{verdict.status.value} where the runtime refuses", str(error)[:300])


def is_clean_line(text: str) -> bool:
    """Whether a terminal shows the text as one line, in the order in which it is written."""
    return not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in TURNING for c in text)


def through_shell(case: Case, arguments: list[str]) -> None:
    """A whole process: its status fits its first word, no traceback, in time."""
    command = [sys.executable, "-m", "verifier.cli.main", *arguments]
    place = {"cwd": case.folder, "env": shell_environment()}
    done = subprocess.run(command, capture_output=True, check=False, timeout=LIMIT - 5, **place)  # type: ignore[call-overload]
    words = done.stdout.split()
    said = words[0].decode("utf-8", "replace") if words else "error"
    wanted = STATUSES.get(said, 2)
    case.count(f"shell: status {done.returncode}")
    if done.returncode != wanted and not (arguments[0] != "verify" and done.returncode in (0, 2, 4, 5)):
        case.blame(f"shell: status {done.returncode}", f"{said}; {done.stderr.decode('utf-8', 'replace')[-400:]}")
    if b"Traceback" in done.stderr:
        case.blame("shell: traceback", done.stderr.decode("utf-8", "replace")[-800:])


def shell_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SPECS.parent), "PYTHONIOENCODING": "utf-8"}


if __name__ == "__main__":
    sys.exit(min(1, fuzz("files", work, LIMIT, __doc__)))
