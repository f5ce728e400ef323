"""The page in a browser: it renders, filters and opens details, by itself and without complaint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.batch.browser import chromium
from tests.batch.report_cases import HOSTILE, material, rich_store
from tests.batch.stores import add_run, item, outcome
from verifier.batch.proof_record import ProofRecord
from verifier.batch.report.page import page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:
    """The page of the rich store, once its plots are there."""
    (tmp_path / "report.html").write_text(page(material(rich_store(tmp_path / "s.db")), "today"), encoding="utf-8")
    browser.get_log("browser"), browser.get_log("performance")
    address = (tmp_path / "report.html").as_uri()
    browser.get(address)
    wait_for(browser, "#scatter .main-svg .point")
    yield browser
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = {
        message["params"]["request"]["url"].partition(":")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"].partition("#")[0] == address  # not the browser's own first page
    }
    assert requested <= {"file", "data", "blob"}
    assert "file" in requested  # the page itself: the log does tell
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def wait_for(browser: Any, selector: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda driver: driver.find_elements("css selector", selector))


def rows(browser: Any) -> list[str]:
    return [row.text for row in browser.find_elements("css selector", "#rows tr.row")]


def fill(browser: Any, name: str, value: str) -> None:
    script = """
        const [element, value] = [document.getElementById(arguments[0]), arguments[1]];
        element.value = value;
        element.dispatchEvent(new Event(element.tagName === "SELECT" ? "change" : "input"));
    """
    browser.execute_script(script, "filter-" + name, value)


def opened_details(browser: Any, text: str) -> Any:
    fill(browser, "text", text)
    browser.find_element("css selector", "#rows tr.row").click()
    return browser.find_element("css selector", "#rows tr.details")


def test_what_disagrees_is_at_the_top(opened: Any) -> None:
    alarm = opened.find_element("id", "disagreements")
    assert "1 contradiction:" in alarm.text
    assert "set/proved/proved" in alarm.text
    assert "1 wrong verdict:" in alarm.text
    places = "return ['disagreements', 'summary'].map((id) => document.getElementById(id).getBoundingClientRect().top)"
    top, after = opened.execute_script(places)
    assert top < after
    alarm.find_element("css selector", "a").click()
    assert len(rows(opened)) == 3
    assert opened.find_elements("css selector", "#rows tr.details")


def test_a_link_opens_its_own_instance(browser: Any, tmp_path: Path) -> None:
    names = [("proved_more", "timeout"), ("proved", "unsat"), ("proved_last", "unsat")]
    add_run(tmp_path / "s.db", [(item(name, truth="sat"), outcome(verdict)) for name, verdict in names])
    (tmp_path / "report.html").write_text(page(material(tmp_path / "s.db"), "today"), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    browser.find_element("css selector", "#disagreements a").click()
    assert "set/proved/proved " in browser.find_element("css selector", "#rows tr.row.open").text


def test_points_of_equal_contents_are_paired_by_name(browser: Any, tmp_path: Path) -> None:
    same = [replace(item(name), network_hash="n", property_hash="p") for name in "abc"]
    add_run(tmp_path / "s.db", [(one, outcome("unsat", t)) for one, t in zip(same, (1.0, 10.0, 100.0), strict=True)])
    add_run(tmp_path / "s.db", [(same[i], outcome("unsat", t)) for i, t in ((2, 200.0), (0, 2.0), (1, 20.0))])
    (tmp_path / "report.html").write_text(page(material(tmp_path / "s.db"), "today"), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    pairs = "return pairsOf(...DATA.contenders).map(([a, b]) => [a.fullName, b.fullName, a.seconds, b.seconds])"
    expected = [[f"set/{x}/{x}", f"set/{x}/{x}", t, 2 * t] for x, t in zip("abc", (1, 10, 100), strict=True)]
    assert browser.execute_script(pairs) == expected


def test_filters_reduce_the_rows(opened: Any) -> None:
    assert len(rows(opened)) == 11
    fill(opened, "text", "OTHER loose")
    assert [row.partition(" ")[0] for row in rows(opened)] == ["other/loose/loose"] * 2
    fill(opened, "text", "")
    for name, value, count in (
        ("verdict", "unsat", 4),
        ("verdict", "not done", 1),
        ("benchmark", "other", 3),
        ("method", "crown", 3),
        ("run", "s.db#2", 3),
        ("fault", "crash", 1),
    ):
        fill(opened, name, value)
        assert len(rows(opened)) == count, (name, value)
        assert opened.find_element("id", "shown").text == f"{count} of 11"
        fill(opened, name, "")
    assert len(rows(opened)) == 11


def test_columns_sort_both_ways(opened: Any) -> None:
    (head,) = [th for th in opened.find_elements("css selector", "#rows th button") if th.text == "seconds"]
    seconds = "return [...document.querySelectorAll('#rows tr.row td.n')].map((cell) => Number(cell.textContent))"
    head.click()
    rising = opened.execute_script(seconds)
    head.click()
    falling = opened.execute_script(seconds)
    assert rising == sorted(rising)
    assert falling == sorted(rising, reverse=True)
    assert len(set(rising)) > 3


def test_a_witness_is_drawn_as_an_image(opened: Any) -> None:
    details = opened_details(opened, "image")
    assert "known to be sat" in details.text
    assert "network image" in details.text
    look = """
        const canvas = document.querySelector("#rows canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [canvas.width, canvas.height, ...data.filter((_, i) => i % 4 === 0)];
    """
    width, height, *shades = opened.execute_script(look)
    assert (width, height, len(shades)) == (8, 8, 64)
    assert shades == sorted(shades)  # the witness rises from entry to entry
    assert (shades[0], shades[-1]) == (0, 255)


def test_other_witnesses_are_numbers(opened: Any) -> None:
    text = opened_details(opened, "numbers").text
    assert "the first 200 of 300" in text
    assert "0.25 not finite" in text


def test_untrusted_text_is_text(opened: Any) -> None:
    opened_details(opened, "loose")
    opened.find_element("css selector", "#rows tr.row:nth-last-child(1)").click()
    details = opened.find_elements("css selector", "#rows tr.details")[-1]
    assert HOSTILE in details.text
    assert details.find_elements("css selector", ".history .main-svg")
    fill(opened, "text", "<script>")
    (row,) = rows(opened)
    assert HOSTILE in row
    opened.find_element("css selector", "#rows tr.row").click()
    assert f"signal 11 {HOSTILE}" in opened.find_element("css selector", "#rows tr.details").text
    assert not opened.find_elements("css selector", "#rows script")


def test_plots_follow_their_choices(opened: Any) -> None:
    counts = "return document.getElementById('cactus').data.map((trace) => Math.max(0, ...trace.y))"
    assert opened.execute_script(counts) == [4, 1, 1]  # the wrong verdict does not count
    choose = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    )
    opened.execute_script(choose, "cactus-benchmark", "other")
    assert opened.execute_script(counts) == [2, 0, 0]
    points = "return document.getElementById('scatter').data.map((trace) => [trace.name, trace.x, trace.y, trace.text])"
    assert [[name, x, y] for name, x, y, _ in opened.execute_script(points)] == [
        ["verified", [2, 4], [0.2, 10]],
        ["falsified", [0.5], [10]],
    ]
    opened.execute_script(choose, "scatter-y", "2")
    ((name, x, y, text),) = opened.execute_script(points)
    assert (name, x, y) == ("contradictory", [2], [3])
    assert "set/proved/proved" in text[0]


def test_a_run_without_results_is_shown(browser: Any, tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a", method), None) for method in ("auto", "crown")])
    (tmp_path / "report.html").write_text(page(material(tmp_path / "s.db"), "today"), encoding="utf-8")
    browser.get_log("browser")
    browser.get((tmp_path / "report.html").as_uri())
    wait_for(browser, "#scatter .main-svg")
    assert [row.split()[:3] for row in rows(browser)] == [["set/a/a", "auto", "not"], ["set/a/a", "crown", "not"]]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_proofs_are_drawn_and_found(browser: Any, tmp_path: Path) -> None:
    told = [(f"i{k}", ProofRecord(f"{k}.npz", 10**k, 0.1 * k, "", "accepted", 0.1)) for k in range(2, 6)]
    told.append(("none", ProofRecord(reason="the time ran out")))
    add_run(tmp_path / "s.db", [(item(name), replace(outcome("unsat"), proof=proof)) for name, proof in told])
    (tmp_path / "report.html").write_text(page(material(tmp_path / "s.db"), "today"), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    for plot in ("#proof-sizes", "#proof-times"):
        wait_for(browser, f"{plot} .main-svg .point")
    fill(browser, "proof", "no proof")
    assert [row.split()[0] for row in rows(browser)] == ["set/none/none"]
    fill(browser, "proof", "accepted")
    assert len(rows(browser)) == 4
    assert "proof 0.1 kB, 0.20 s, accepted in 0.10 s 2.npz" in opened_details(browser, "i2").text
