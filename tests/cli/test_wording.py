"""The library's arguments in the shell's words."""

from __future__ import annotations

import pytest

from verifier.cli.wording import as_options, told
from verifier.errors import Argument, UsageError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("give allow_empty=True to have it answered", "give --allow-empty to have it answered"),
        ("witness_tolerance=1e-6 accepts it", "--witness-tolerance 1e-6 accepts it"),
        ("give numbers: epsilons=0.05,0.1", "give numbers: --epsilons 0.05,0.1"),
        ("the lower first: clip=(0,1)", "the lower first: --clip 0,1"),
        ("epsilons=[0.05, 0.1]; or not", "--epsilons 0.05,0.1; or not"),
        ("a label= of your own", "a --label of your own"),
        ("other=1 and my_label=2 stay", "other=1 and my_label=2 stay"),
    ],
)
def test_arguments_become_options(text: str, shown: str) -> None:
    assert as_options(text) == shown


def test_places_become_options() -> None:
    error = UsageError("a timeout of -1.0 s", Argument("timeout"), "give a positive number of seconds")
    assert str(error) == "timeout: a timeout of -1.0 s; give a positive number of seconds"
    assert told(error) == f"--{error}"
    assert told(UsageError("a share", Argument("tighten_share"))) == "--tighten-share: a share"
