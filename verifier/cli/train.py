"""`verifier train RECIPE`: trains a network made to be verified, exports it and says what it is worth."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.options import flag, option, optional_word, whole
from verifier.cli.output import complain, say
from verifier.cli.statuses import EXIT_CONTRADICTION, EXIT_INTERRUPTED
from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.training.checkpoint import Row
    from verifier.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training."""

    recipe: str = optional_word(str, "", "RECIPE.toml|NAME", "A recipe, or a built-in one's name.")
    list: bool = flag("Show the built-in recipes.")
    output: Path | None = option(Path, None, "Folder of the results; the recipe's name if not given.", "DIR")
    resume: bool = flag("Go on from the checkpoint in that folder.")
    epochs: int | None = option(whole(1), None, "Instead of the recipe's; the ramp changes too.")
    workers: int | None = option(whole(1), None, "Samples measured at a time; cores if not given.")


def train(training: Training) -> int:
    """Train a network by a recipe; write model.onnx, recipe.toml, card.md, card.json, log.csv and a checkpoint.

    The card has the accuracy as it is, under attack, and certified at the recipe's perturbations, all on the exported
    model. The same recipe gives the same weights on one kind of machine, interrupted and resumed or not.
    Exit status: 0, 2 wrong input or usage, 4 a certificate is contradicted by an attack, 130 interrupted.

    Examples:

    verifier train digits-interval --output networks/interval

    verifier train mine.toml --epochs 20
    """
    if training.list:
        return _list()
    recipe, output, epochs = training.recipe, training.output, training.epochs
    if not recipe:
        raise UsageError("no recipe", "verifier train", "give a .toml file or a name that --list shows")
    from verifier.training.methods import method_of
    from verifier.training.recipe import load_recipe

    chosen = load_recipe(recipe)
    method_of(chosen, recipe)  # says what is wrong with the method's parameters in that file
    if epochs is not None:
        chosen = replace(chosen, training=chosen.training.in_epochs(epochs))
    return _run(chosen, output or Path(chosen.name), training.resume, training.workers or os.cpu_count() or 1)


def _list() -> int:
    from verifier.training.recipe import recipe_names, recipe_summary

    for name in recipe_names():
        say(f"{name:24} {recipe_summary(name)}")
    return 0


def _run(recipe: Recipe, folder: Path, resume: bool, workers: int) -> int:
    """Trains, shows what came of it, and gives the exit status."""
    from verifier.training.run import Observer, train

    def on_epoch(row: Row) -> None:
        told = f"loss {row.loss:.4f}, accuracy {row.accuracy:.1%}, epsilon {row.epsilon:.4g}, {row.seconds:.0f} s"
        _show(f"epoch {row.epoch} of {recipe.training.epochs}: {told}")

    try:
        card = train(recipe, folder, resume, Observer(on_epoch, _show), workers)
    except KeyboardInterrupt:
        _show("")
        complain("verifier: interrupted; the same command with --resume goes on from the last whole epoch")
        return EXIT_INTERRUPTED
    _show("")
    say(card.markdown())
    say(f"written to {folder}")
    for line in card.contradictions:
        complain(f"verifier: CONTRADICTION at {line}; one of them is wrong, please report it with {folder}")
    return EXIT_CONTRADICTION if card.contradictions else 0


def _show(text: str) -> None:
    """Shows on a terminal how it goes, on one line."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
