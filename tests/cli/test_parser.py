"""What the command line takes, what it says of mistakes, and its help."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pytest

from tests.cli.test_verify import FAILS, HOLDS, run
from tests.cli.within import within
from verifier.cli.main import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_and_its_examples_can_be_copied(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for option in ("-h", "--help"):
        done = within(command, option)
        assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    function = getattr(import_module(f"verifier.cli.{command.replace('-', '_')}"), command.replace("-", "_"))
    told = " ".join(function.__doc__.split())
    shown = done.stdout.replace(" \\\n", " ")
    for example in re.findall(r"^  (verifier .*)$", shown, re.M):
        assert " ".join(example.split()) in told
    assert shown.count("\n  verifier ") == len(re.findall(r"\n\s+verifier ", function.__doc__))


def test_without_words_help_is_shown() -> None:
    for words in ((), ("verify",), ("compare",)):
        done = within(*words)
        assert (done.exit_code, "sage: verifier" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("verfy",), "verfy: there is no such command; did you mean verify?"),
        (("verify", "n", "p", "--timout", "1"), "--timout: there is no such option; did you mean --timeout?"),
        (("verify", "n", "p", "--time", "1"), "there is no such option"),
        (("verify", "n", "p", "-t", "1"), "-t: there is no such option"),
        (("verify", "n", "p", "--timeout"), "--timeout: its value is missing"),
        (("verify", "n", "p", "--timeout", "x"), "--timeout: 'x' is no number"),
        (("verify", "n", "p", "--timeout", "nan"), "--timeout: nan is not at least 0.001"),
        (("verify", "n", "p", "--tighten-share", "2"), "--tighten-share: 2 is not at most 1"),
        (("verify", "n", "p", "--seed", "1.5"), "--seed: '1.5' is no whole number"),
        (("verify", "n", "p", "--explain=no"), "--explain: it takes no value"),
        (("verify", "n", "p", "q"), "unrecognized arguments: q"),
        (("radius", "n"), "required: --data"),
        (("verify", "--explain"), "required: NET"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], told: str) -> None:
    done = within(*words)
    assert done.exit_code == 2
    assert told in str(done.exception)


def test_help_shows_no_empty_defaults() -> None:
    shown = within("verify", "--help").stdout
    assert "[]" not in shown
    assert "[120]" in shown


def test_a_mistake_is_one_line_in_the_shell() -> None:
    done = run("verify", *HOLDS, "--nonsense")
    assert (done.returncode, done.stdout) == (2, "error\n")
    assert re.fullmatch(r"verifier: --nonsense: .*\n", done.stderr)


def test_options_stand_anywhere_and_values_may_begin_with_a_dash() -> None:
    net, prop = FAILS
    assert within("verify", "--seed", 1, net, "--timeout=60", prop, "--explain").exit_code == 1
    assert within("verify", "--", net, prop).exit_code == 1
    ball = "--around", "none.npy", "--epsilon", "1", "--clip"
    assert "'-1' is no range" in str(within("verify", net, *ball, "-1").exception)
    assert "none.npy" in str(within("verify", net, *ball, "-1,1").exception)


def test_the_package_runs_and_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "verifier", "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"verifier \d+\.\d+\S*\n", done.stdout)
