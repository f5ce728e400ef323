"""The picture of a comparison: every format, a row for each method, whatever is known of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verifier.errors import UsageError
from verifier.methods.comparison import Answer, Comparison
from verifier.pictures.bounds import bounds_picture, check_picture
from verifier.pictures.style import FORMATS
from verifier.verdict import Status, Verdict

BEGINS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def some() -> Comparison:
    return Comparison(
        (
            Answer("interval", Verdict(Status.UNKNOWN, "interval", -99.8)),
            Answer("milp", Verdict(Status.UNSAT, "milp", 0.6007, reached=0.6009, seconds=7.5)),
            Answer("attack", Verdict(Status.TIMEOUT, "attack")),
        )
    )


@pytest.mark.parametrize("ending", FORMATS)
def test_formats(ending: str) -> None:
    first, again = (bounds_picture(some(), "net, prop", ending) for _ in range(2))
    assert first.startswith(BEGINS[ending])
    assert len(first) > 5000
    if ending == ".png":
        assert first == again


def test_every_method_has_its_row_and_verdict() -> None:
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):
        text = bounds_picture(some(), "<net> & prop", ".svg").decode()
    words = re.findall(r"<text[^>]*>([^<]*)", text)
    for told in ("interval", "milp", "attack", "unsat", "7.50 s", "timeout", "0.00 s", "exact margin 0.6009"):
        assert told in words
    assert "&lt;net&gt; &amp; prop" in words


def test_nothing_at_all_known() -> None:
    assert bounds_picture(Comparison((Answer("lp", Verdict(Status.ERROR, "lp")),)), "", ".png")


def test_endings() -> None:
    check_picture(Path("x.PNG"), "--picture")
    with pytest.raises(UsageError, match="no kind of picture"):
        check_picture(Path("x.jpeg"), "--picture")
