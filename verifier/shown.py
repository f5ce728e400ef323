"""How results show themselves: a line in a shell, a small table in a notebook, a dictionary for files."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import Any, SupportsFloat


class Shown:
    """A result: `repr`, notebooks and `to_dict` tell the same."""

    def facts(self) -> Iterable[tuple[str, str]]:
        """What a table of it holds: names and texts, the most important first."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON: numbers, texts, lists and dictionaries; None for what is not known or not finite."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(f'{name} {text}' for name, text in self.facts())}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self.facts()
        )
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"


def html_table(caption: str, headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of several rows for a notebook."""
    head = "".join(f"<th>{html.escape(word)}</th>" for word in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(word)}</td>' for word in row)}</tr>" for row in rows)
    return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def json_number(value: SupportsFloat) -> float | None:
    """The number, or null for NaN and infinity, which JSON lacks (outputs that no row asks about may be either)."""
    number = float(value)
    return number if math.isfinite(number) else None
