"""Property files that cannot be used: each is one line that says what is wrong, where, and mostly what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from verifier.errors import PropertyError
from verifier.readers.vnnlib import load_property

HEAD = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (and (>= X_0 0) (<= X_0 1)))\n"


def fault(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "p.vnnlib"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(PropertyError) as raised:
        load_property(path)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("(assert (<= Y_1 0))", "line 4: Y_1 is used but not declared"),
        ("(assert (<= Z_0 0))", "line 4: Z_0 is no name of an input or output"),
        ("(assert (<= X_00 0))", "line 4: X_00 is no name of an input or output"),
        ("(declare-const X_0 Real)", "line 4: X_0 is declared twice"),
        ("(declare-const X_2 Real)", "line 4: X_2 is declared but X_1 is not"),
        ("(declare-const X_1 Int)", "line 4: X_1 is declared with sort Int"),
        ("(declare-const foo Real)", "line 4: foo is no name of an input or output"),
        ("(declare-fun X_1 () Real)", "line 4: the command declare-fun is not supported"),
        ("(check-sat)", "line 4: the command check-sat is not supported"),
        ("(assert (<= (* X_0 Y_0) 0))", "line 4: the product of two variables is not linear"),
        ("(assert (<= (/ 1 Y_0) 0))", "line 4: a division by a variable is not linear"),
        ("(assert (<= (/ Y_0 0) 0))", "line 4: division by zero"),
        ("(assert (<= (^ Y_0 2) 0))", "line 4: ^ is not supported in a term"),
        ("(assert (<= (+) 0))", "line 4: (+) has no arguments"),
        ("(assert (not (<= Y_0 0)))", "line 4: not is not supported in a formula"),
        ("(assert (== Y_0 0))", "line 4: == is not supported in a formula"),
        ("(assert (or))", "line 4: a formula is missing"),
        ("(assert)", "line 4: a formula is missing"),
        ("(assert Y_0)", "line 4: a formula was expected, not Y_0"),
        ("(assert (<= Y_0 0) (<= Y_0 1))", "line 4: (assert ...) takes one formula"),
        ("(assert (<= Y_0))", "line 4: (<= ...) compares fewer than two terms"),
        ("(assert (<= Y_0 nan))", "line 4: the constant nan is not a finite number"),
        ("(assert (<= X_0 -inf))", "line 4: the constant -inf is not a finite number"),
        ("(assert (<= X_0 Infinity))", "line 4: the constant Infinity is not a finite number"),
        ("(assert (<= X_0 1e400))", "line 4: the number 1e400 is larger than 1e300"),
        ("(assert (<= Y_0 1e400))", "line 4: the number 1e400 is larger than 1e300"),
        ("(assert (<= (* 1e200 1e200) Y_0))", "line 4: a number is larger than 1e300"),
        ("(assert (<= (* 1e-200 X_0) 1e200))", "line 4: a number is larger than 1e300"),
        ("(assert (<= X_0 1_0))", "line 4: 1_0 is no number that can be read"),
        ("(assert (<= X_0 1e))", "line 4: 1e is no number that can be read"),
        ("(assert (<= X_0 1e99999999999))", "line 4: 1e99999999999 is no number that can be read"),
        ("(assert (<= X_0 " + "1" * 5000 + "))", "is no number that can be read"),
        ("(assert (<= Y_0 0)", "line 4: the parenthesis opened here is never closed"),
        ("\n(assert (or (and (<= Y_0 0))", "line 5: the parenthesis opened here is never closed"),
        ("(assert (<= Y_0 0)))", "line 4: a command such as (assert ...) was expected"),
        ("assert", "line 4: a command such as (assert ...) was expected"),
        ("(assert (<= Y_0 \x0b 0))", "line 4: unexpected character '\\x0b'"),
        ("(assert (<= Y_0 é))", "line 4: unexpected character '\\xe9'"),
        ("(assert (or" + "(and (<= Y_0 0) (or (<= Y_0 1) (<= Y_0 2)))" * 3 + ")", "is never closed"),
    ],
)
def test_faulty_line(tmp_path: Path, line: str, says: str) -> None:
    assert says in fault(tmp_path, HEAD + line)


def test_unbounded_inputs(tmp_path: Path) -> None:
    head = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(assert (<= 0 X_0 1))\n"
    assert "line 2: input X_1 has no lower bound" in fault(tmp_path, head)
    branches = "(assert (>= X_1 0))(assert (or (and (<= X_1 1) (<= Y_0 0)) (and (<= Y_0 1))))"
    assert "line 2: input X_1 has no upper bound in some disjunct" in fault(tmp_path, head + branches)
    rows = "(assert (>= X_1 0))(assert (<= (+ X_0 X_1) 1))"
    assert "input X_1 has no upper bound" in fault(tmp_path, head + rows)


def test_explosion_is_foreseen(tmp_path: Path) -> None:
    choice = "(assert (or (<= Y_0 1) (<= Y_0 2) (<= Y_0 3)))\n"
    says = fault(tmp_path, HEAD + choice * 60)
    assert "disjuncts in normal form; the limit is 1,000,000" in says
    assert "line 16" in says  # 3**13 > 10**6, on the thirteenth line after the three of the head
    inside = "(assert (or (<= Y_0 0) (and " + "(or (<= Y_0 1) (<= Y_0 2)) " * 60 + ")))"
    assert "line 4: the formula has" in fault(tmp_path, HEAD + inside)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no property"),
        (b" \n; nothing\n", "holds no property"),
        (b"\x00\x01\x02", "a command such as"),
        (b"\x80\x81\xff", "line 1: is not a text file"),
        (b"(declare-const X_0 Real)\n\xff", "line 2: is not a text file"),
        (gzip.compress(b"(declare-const X_0 Real)" * 100, mtime=0)[:-12], "damaged or cut short"),
        (gzip.compress(b"(declare-const X_0 Real)" * 100, mtime=0)[:-1], "damaged or cut short"),
        (b"\x1f\x8b\x08garbage", "damaged or cut short"),
        (b"(declare-const Y_0 Real)", "no inputs are declared"),
        (b"(declare-const X_0 Real)", "no outputs are declared"),
    ],
)
def test_no_property_at_all(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in fault(tmp_path, content)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(PropertyError, match="no such file"):
        load_property(tmp_path / "absent.vnnlib")
    with pytest.raises(PropertyError, match="is a directory"):
        load_property(tmp_path)


def test_truncation_anywhere_is_an_error_or_a_shorter_formula(tmp_path: Path) -> None:
    """No cut may raise anything but a PropertyError."""
    text = HEAD + "(assert (or (and (<= Y_0 (* 2 0.5)) (>= X_0 1e-3)) (and (= Y_0 2))))\n"
    path = tmp_path / "p.vnnlib"
    read = 0
    for end in range(len(text) + 1):
        path.write_text(text[:end])
        try:
            load_property(path)
        except PropertyError:
            continue
        read += 1
        assert text[:end].count("(") == text[:end].count(")")
    assert read >= 2
