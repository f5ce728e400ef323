"""The report's files: CSV that reads back, Markdown with its rows, a page in which nothing untrusted is markup."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.batch.report_cases import HISTORY, HOSTILE, material, rich_store
from tests.batch.stores import add_run, item, outcome
from verifier.batch.plan import Settings
from verifier.batch.report.images import as_image, image_record
from verifier.batch.report.page import facts_table, page
from verifier.batch.report.rows import ENTRIES, details
from verifier.batch.report.rows import HISTORY as POINTS
from verifier.batch.report.tables import escaped, results_csv, summary_markdown


class _Tags(HTMLParser):
    """The tags of a page, and the texts of its JSON scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or "" if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_store(tmp_path_factory.mktemp("report") / "s.db")


@pytest.fixture(scope="module")
def read_page(rich: Path) -> _Tags:
    tags = _Tags()
    tags.feed(page(material(rich), "today"))
    return tags


def test_the_csv_reads_back(rich: Path) -> None:
    given = material(rich)
    rows = list(csv.DictReader(io.StringIO(results_csv(given), newline="")))
    assert len(rows) == len(given.results) == 11
    for row, result in zip(rows, given.results, strict=True):
        assert (row["benchmark"], row["network"], row["method"]) == (
            result.benchmark,
            str(result.network),
            result.method,
        )
        assert row["verdict"] == ("" if result.verdict is None else str(result.verdict))
        if result.verdict is not None:
            assert float(row["seconds"]) == result.seconds
            assert (float(row["bound"]) if row["bound"] else None) == result.bound
            assert (row["log"], row["detail"], row["fault"]) == (result.log, result.detail, result.fault)
            assert row["explanation"].splitlines() == list(result.explanation)
    assert [row["wrong"] for row in rows].count("1") == 1
    assert [row["run"] for row in rows if row["contradicted"] == "1"] == ["s.db#1", "s.db#1", "s.db#2"]


def test_no_row_of_the_csv_ends_early(tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a"), replace(outcome("error"), log="1 %\r2 %\r\ndone\r"))])
    text = results_csv(material(tmp_path / "s.db"))
    assert "\r" not in text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["log"] == "1 %\n2 %\ndone\n"


def test_the_markdown_has_the_rows(rich: Path) -> None:
    text = summary_markdown(material(rich))
    assert "- **CONTRADICTION** set/proved/proved: auto · s.db#1 says unsat, crown · s.db#1 says unsat" in text
    assert "- **WRONG** set/wrong/wrong: auto · s.db#2 says unsat, known to be sat" in text
    # two of unknown truth are right, one is disputed, one is known and right: 3 * 10
    assert "| auto · s.db#1 | 5 | 2 | 2 | 0 | 0 | 1 | 0 | 0 | 1 | 30 | 7.5 | 1.500 |" in text
    assert "| other | crown · s.db#1 | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0.0 |  |" in text
    assert "<script" not in text
    widths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            widths.setdefault(len(re.findall(r"(?<!\\)\|", line)), line)
    assert set(widths) == {14, 15, 5}  # the two summaries; the shares, and the cross table of three columns


def test_markdown_shows_text_as_it_is() -> None:
    assert escaped("a|b *c* _d_ mnist_fc <i>\n&") == r"a\|b \*c\* \_d\_ mnist_fc &lt;i&gt; &amp;"


def test_a_calm_store_says_so(tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a"), outcome("unsat"))])
    calm = material(tmp_path / "s.db")
    assert "No verdict contradicts another" in summary_markdown(calm)
    text = page(calm, "today")
    assert 'class="calm"' in text
    assert 'class="alarm"' not in text
    assert "no results of both kinds" in text


def test_nothing_untrusted_is_markup(read_page: _Tags) -> None:
    scripts = [attributes for tag, attributes in read_page.tags if tag == "script"]
    assert [script.get("id") for script in scripts[:3]] == ["data", "details", "plotly"]
    assert len(scripts) == 7
    data, found = json.loads(read_page.texts["data"]), json.loads(read_page.texts["details"])
    assert any(HOSTILE in name for name in data["benchmarks"])
    assert any(HOSTILE in result.get("log", "") for result in found["results"])


def test_the_page_refers_to_nothing_outside(read_page: _Tags) -> None:
    for tag, attributes in read_page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            if name in attributes:
                assert (attributes[name] or "").startswith(("#", "data:,")), (tag, attributes)


def test_the_page_is_thinned(rich: Path) -> None:
    given = material(rich)
    records = details(given)["results"]
    (history,) = [record["history"] for record in records if "history" in record]
    assert len(history) <= POINTS
    assert history[-1][0] == pytest.approx(HISTORY[-1]["seconds"], rel=1e-5)
    witnesses: list[dict[str, Any]] = [record["witness"] for record in records if "witness" in record]
    assert [len(witness.get("x", ())) for witness in witnesses] == [0, ENTRIES, 2]
    assert witnesses[1]["inputs"] == 300
    assert witnesses[0]["y"] == [0.25, None]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (((1, 1, 28, 28),), (28, 28, 1)),
        (((1, 784, 1),), (28, 28, 1)),
        (((1, 3, 32, 32),), (32, 32, 3)),
        (((3072,),), (32, 32, 3)),
        (((1, 30, 31, 3),), (30, 31, 3)),
        (((1, 64),), (8, 8, 1)),
        (((1, 20, 5),), (20, 5, 1)),
        (((1, 1, 1, 5),), None),
        (((3, 20),), None),
        (((2, 8, 8),), None),
        (((8, 8, 1, 4),), None),
        (((28, 28), (28, 28)), None),
        (((100,),), None),
    ],
)
def test_what_is_an_image(shapes: tuple[tuple[int, ...], ...], expected: tuple[int, ...] | None) -> None:
    x = np.arange(sum(int(np.prod(shape)) for shape in shapes), dtype=np.float32)
    pixels = as_image(shapes, x)
    assert (None if pixels is None else pixels.shape) == expected
    if pixels is not None:
        assert sorted(pixels.ravel()) == list(x)


def test_channels_first_and_last_give_the_same_image() -> None:
    image = np.random.default_rng(0).random((5, 6, 3))
    last, first = image.ravel(), np.moveaxis(image, -1, 0).ravel()
    np.testing.assert_array_equal(as_image([(5, 6, 3)], last), image)
    np.testing.assert_array_equal(as_image([(1, 3, 5, 6)], first), image)


def test_image_bytes_span_the_whole_range() -> None:
    pixels = np.linspace(-2, 3, 35).reshape(5, 7, 1)
    record = image_record(pixels)
    shades = np.frombuffer(base64.b64decode(record["bytes"]), np.uint8).reshape(5, 7)
    assert (record["height"], record["width"], record["step"]) == (5, 7, 1)
    np.testing.assert_allclose(shades / 255 * 5 - 2, pixels[..., 0], atol=5 / 255)
    large = image_record(np.random.default_rng(0).random((200, 100, 3)))
    assert (large["height"], large["width"], large["step"]) == (50, 25, 4)
    assert len(base64.b64decode(large["bytes"])) == 50 * 25 * 3
    flat = image_record(np.zeros((4, 4, 1)))
    assert set(base64.b64decode(flat["bytes"])) == {128}


def test_facts_name_what_differs_between_runs(tmp_path: Path) -> None:
    for methods in (("auto",), ("auto", "milp")):
        add_run(tmp_path / "s.db", [(item("a"), outcome("unsat"))], Settings(methods))
    lines = {name: (values, differ) for name, values, differ in facts_table(material(tmp_path / "s.db").runs)}
    assert lines["version verifier"] == (["0", "0"], False)
    assert lines["option methods"] == (["auto", "auto milp"], True)
    assert not lines["started"][1]
