"""`verifier zoo`: trains the line-up of networks made to be verified, and writes one page of what each is worth."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.options import listed, option, whole
from verifier.cli.output import complain, say
from verifier.cli.statuses import EXIT_CONTRADICTION, EXIT_INTERRUPTED
from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.zoo.line_up import Entry, Plan

PLANE = ("moons-standard", "moons-lipschitz")
PAGE = "zoo.md"


@dataclass(frozen=True, kw_only=True)
class LineUp:
    """The line-up."""

    output: Path = option(Path, Path("zoo"), "Folder of the page and of all networks.", "DIR")
    samples: int = option(whole(1), 40, "Test samples on which robust accuracy is measured.")
    recipes: tuple[str, ...] | None = option(listed, None, "Names of digits' recipes, with commas; all if not given.")
    workers: int | None = option(whole(1), None, "Samples at a time; cores if not given.")


def zoo(wanted: LineUp) -> int:
    """Train every network of the line-up on digits, measure it by each method that applies, and write zoo.md.

    The page has accuracy, training time, certified and attacked robust accuracy in both norms, curves, and the level
    curves of a plain and of a 1-Lipschitz network in the plane. What is done already in the folder is not done again.
    Exit status: 0, 2 wrong input or usage, 4 a certificate is contradicted by an attack, 130 interrupted.

    Examples:

    verifier zoo --output zoo

    verifier zoo --recipes digits-standard,digits-cayley --samples 20
    """
    from verifier.training.recipe import recipe_names
    from verifier.zoo.line_up import PREFIX, Plan, line_up

    names, output = list(wanted.recipes or ()), wanted.output
    known = [name for name in recipe_names() if name.startswith(PREFIX)]
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no recipe {name!r} in the line-up", "--recipes", f"choose of {', '.join(known)}"
            )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be made ({error.strerror})", "--output", "choose another folder") from error
    plan = Plan(output, wanted.samples, wanted.workers or os.cpu_count() or 1, names)
    try:
        entries = []
        for entry in line_up(plan, _show):
            entries.append(entry)
            say(f"{entry.recipe.name}: accuracy {entry.accuracy:.1%}, trained in {entry.seconds:.0f} s")
        _show("the page")
        _write(plan, entries)
    except KeyboardInterrupt:
        _show("")
        complain("verifier: interrupted; the same command goes on with what is not done yet")
        return EXIT_INTERRUPTED
    _show("")
    say(f"written to {output / PAGE}")
    return _contradicted(entries)


def _show(text: str) -> None:
    """Shows on a terminal what is at work."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _contradicted(entries: list[Entry]) -> int:
    """Tells every crossing; the exit status."""
    found = [(e.recipe.name, a.sample) for e in entries for r in e.robust.values() for a in r.crossings]
    for name, sample in found:
        complain(f"verifier: CROSSING: {name}, sample {sample}: a certificate is contradicted by an attack")
    return EXIT_CONTRADICTION if found else 0


def _write(plan: Plan, entries: list[Entry]) -> None:
    from verifier.evidence.result_files import write_whole
    from verifier.pictures.zoo import certified_picture, levels_picture, methods_picture
    from verifier.radii.data import load_data
    from verifier.radii.known_data import split
    from verifier.readers.onnx import load_network
    from verifier.training.recipe import load_recipe
    from verifier.training.run import MODEL
    from verifier.zoo.line_up import SIZES, room, spread, trained
    from verifier.zoo.page import page

    whole = load_data("digits", 64)
    assert whole.labels is not None
    test = split(whole.labels)[1]
    chosen = test[spread(len(test), plan.samples)].tolist()
    for norm in SIZES:
        curves = [(entry.name, entry.robust[norm]) for entry in entries]
        write_whole(plan.folder / f"zoo-{norm:g}.png", certified_picture(curves, room(whole, chosen, norm)))
        write_whole(plan.folder / f"zoo-{norm:g}-methods.png", methods_picture(curves))
    networks = []
    for name in PLANE:
        trained(load_recipe(name), plan.folder / name, plan.workers)
        networks.append((name, load_network(plan.folder / name / MODEL)))
    moons = load_data("moons:test", 2)
    assert moons.labels is not None
    write_whole(plan.folder / "zoo-levels.png", levels_picture(networks, moons.x, moons.labels))
    write_whole(plan.folder / PAGE, page(entries, len(chosen)))
