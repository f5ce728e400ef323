"""Names from files are shown, never obeyed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.errors import ModelError
from verifier.text import cell, visible


@given(st.text())
def test_nothing_reaches_a_terminal_but_text(text: str) -> None:
    shown = visible(text)
    assert all(c >= " " and not "\x7f" <= c <= "\x9f" and c not in "\u202e\u2028" for c in shown)
    assert visible(text, lines=True).count("\n") == text.count("\n")
    if text.isprintable():
        assert shown == text


def test_an_error_shows_what_a_file_calls_itself() -> None:
    error = ModelError("operator \x1b]0;mine\x07 is not supported", "node 'a\x9bb\u202e' of n.onnx")
    assert str(error) == r"node 'a\x9bb\u202e' of n.onnx: operator \x1b]0;mine\x07 is not supported"


@pytest.mark.parametrize("text", ["=1+2", "+cmd", "-cmd", "@SUM(1)", "\t=1", "\r=1"])
def test_a_spreadsheet_takes_no_name_for_a_formula(text: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([cell(text), cell("-1e-3"), cell(-0.5), cell("-inf")])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == ["'" + text, "-1e-3", "-0.5", "-inf"]


def test_a_mark_of_byte_order_in_a_name_is_shown() -> None:
    assert visible("\ufeffnet.onnx") == "\\ufeffnet.onnx"
