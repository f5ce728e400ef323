"""`verifier report STORE --output DIR`: what came of whole benchmarks, as a page, a CSV file and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from verifier.cli.options import required, words
from verifier.cli.output import say
from verifier.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Places:
    """Stores and report."""

    stores: list[str] = words(str, "STORE", "Stores of verifier bench, or STORE#RUN for one run of it.")
    output: Path = required(Path, "The folder to write to; made if missing.", "DIR")


def report(places: Places) -> int:
    """Report the results of stores: tables, plots, witnesses, contradictions.

    Writes report.html (one page that needs no network and nothing beside it), results.csv (a row for each result) and
    summary.md. Exit status: 0 done, 2 wrong input or usage, 4 methods or runs contradict each other, 5 verdicts
    contradict known ones.

    Examples:

    verifier report results.db --output report

    verifier report before.db after.db#2 --output compared
    """
    from verifier.batch.records import read_places
    from verifier.batch.report.material import Material
    from verifier.batch.report.page import page
    from verifier.batch.report.tables import results_csv, summary_markdown
    from verifier.batch.store import now
    from verifier.cli.statuses import judged, write_or_exit
    from verifier.evidence.result_files import check_writable, write_whole

    material = Material(list(read_places(places.stores)))
    output = places.output
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be made ({error.strerror})", "--output", "choose another folder") from error
    paths = [output / name for name in ("report.html", "results.csv", "summary.md")]
    for path in paths:
        check_writable(path, "--output")
    status = judged(material.results)
    texts = page(material, now()[:16].replace("T", " ") + " UTC"), results_csv(material), summary_markdown(material)
    for path, text in zip(paths, texts, strict=True):
        write_or_exit(status, partial(write_whole, path, text))
        say(str(path))
    return status
