"""The script that completes commands in a shell, asked as the shell asks it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.test_verify import run
from verifier.cli.main import COMMANDS

BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (("verifier", "rad"), {"radius"}),
        (("verifier", "verify", "--time"), {"--timeout"}),
        (("verifier", "radius", "--me"), {"--methods"}),
        (("verifier", "completion", "z"), {"zsh"}),
        (("verifier", ""), set(COMMANDS)),
    ],
)
def test_bash_completes(words: tuple[str, ...], completed: set[str]) -> None:
    script = run("completion", "bash").stdout
    typed = " ".join(f"'{word}'" for word in words)
    asks = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _shtab_verifier '' '{words[-1]}'"
    done = subprocess.run(
        [str(BASH), "-c", f'{script}\n{asks}; printf "%s\\n" "${{COMPREPLY[@]}}"'], capture_output=True, text=True
    )
    assert completed <= {line.strip() for line in done.stdout.splitlines()}, done.stderr


def test_another_shell_is_told_what_there_is() -> None:
    done = run("completion", "fish")
    assert (done.returncode, done.stderr) == (
        2,
        "verifier: SHELL: there is no script for fish; choose from bash, zsh, tcsh\n",
    )
