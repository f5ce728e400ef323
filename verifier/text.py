"""Texts from elsewhere, such as names in files, made safe for a terminal and for a table that a spreadsheet opens."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""What moves the cursor, changes a terminal's state, or the direction in which text runs."""
_CONTROL_IN_LINES = re.compile("(?![\n\t])" + _CONTROL.pattern)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(text: str, lines: bool = False) -> str:
    r"""The text with control characters written as escapes, so that none reaches a terminal.

    Args:
        text: any.
        lines: whether ends of lines and tabs stay.

    >>> visible("net\x1b[2J.onnx")
    'net\\x1b[2J.onnx'
    """
    if text.isprintable():
        return text
    found = _CONTROL_IN_LINES if lines else _CONTROL
    return found.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def cell(value: object) -> object:
    """What a CSV file has for a value: a text that a spreadsheet would take for a formula gets an apostrophe before it.

    Numbers stay as they are, those that are written as texts too.

    >>> cell("=1+2"), cell("-0.5"), cell(-0.5), cell("net.onnx")
    ("'=1+2", '-0.5', -0.5, 'net.onnx')
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value
