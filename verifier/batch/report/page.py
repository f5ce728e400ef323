"""The report as one page that needs nothing but itself: styles, scripts, Plotly and all data are in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verifier.batch.records import Run
from verifier.batch.report.completeness import crosses
from verifier.batch.report.material import Material
from verifier.batch.report.proofs import proof_lines, reasons
from verifier.batch.report.rows import details, page_data
from verifier.batch.report.scores import by_benchmark, totals

SCRIPTS = ("dom.js", "table.js", "details.js", "plots.js")
"""In the order of their needs."""
WHEN = ("started", "finished")
"""Facts that always differ."""


def page(material: Material, written: str) -> str:
    """The page as HTML.

    Args:
        material: what it shows.
        written: when, for its head and foot.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("verifier.batch.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"percent": _percent}

    def source(name: str) -> Markup:
        assert environment.loader is not None
        return Markup(environment.loader.get_source(environment, name)[0])

    return environment.get_template("report.html.j2").render(
        material=material,
        totals=totals(material),
        lines=by_benchmark(material),
        crosses=crosses(material),
        proofs=proof_lines(material),
        reasons=reasons(material),
        facts=facts_table(material.runs),
        data=page_data(material),
        details=details(material),
        style=source("report.css"),
        scripts=[source(name) for name in SCRIPTS],
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
        written=written,
        title=title_of(material.benchmarks),
    )


def title_of(benchmarks: Sequence[str]) -> str:
    """The page's title: the benchmarks' names, where they are few."""
    if len(benchmarks) > 3:
        return f"{benchmarks[0]} and {len(benchmarks) - 1} other benchmarks"
    return (
        " and ".join((", ".join(benchmarks[:-1]), benchmarks[-1]))
        if len(benchmarks) > 1
        else "".join(benchmarks) or "No results"
    )


def facts_table(runs: list[Run]) -> list[tuple[str, list[str], bool]]:
    """What is known of the runs: for each fact its name, its value in each run, and whether those differ."""
    columns = [_facts(run) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    lines = [(name, [column.get(name, "") for column in columns]) for name in names]
    return [(name, values, name not in WHEN and len(set(values)) > 1) for name, values in lines]


def _facts(run: Run) -> dict[str, str]:
    told = {"started": _moment(run.started), "finished": _moment(run.finished) or "not finished"}
    told |= _flat(run.facts, "")
    return told | _flat(run.options, "option ")


def _flat(facts: dict[str, Any], before: str) -> dict[str, str]:
    """Facts of facts under names of their own; lists in one line."""
    told: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            told |= _flat(value, f"{before}{name.removesuffix('s')} ")
        elif isinstance(value, list | tuple):
            told[before + name] = " ".join(map(str, value))
        else:
            told[before + name] = "" if value is None else str(value)
    return told


def _moment(iso: str) -> str:
    """A time of the store as people read it."""
    return iso[:19].replace("T", " ") + " UTC" if iso else ""


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
