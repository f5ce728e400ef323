"""From a recipe to a folder: model.onnx, recipe.toml, card.json, card.md, log.csv and the checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import UsageError
from verifier.evidence.result_files import write_whole
from verifier.network.graph import Network
from verifier.training.card import Card
from verifier.training.checkpoint import Checkpoint, Row
from verifier.training.data import Split, load_split
from verifier.training.export import export
from verifier.training.loop import Training
from verifier.training.measures import card_options, clean_accuracy, contradictions, measured, robust_accuracy
from verifier.training.recipe import Recipe

MODEL, RECIPE, CHECKPOINT, LOG = "model.onnx", "recipe.toml", "checkpoint.pt", "log.csv"
COMPARED = 50
"""Test samples on which the exported model is compared with the network."""


@dataclass(frozen=True)
class Observer:
    """Is told how it goes: of every epoch, and of every stage after them."""

    on_epoch: Callable[[Row], None] = lambda row: None
    on_stage: Callable[[str], None] = lambda stage: None


def train(
    recipe: Recipe, folder: Path, resume: bool = False, observer: Observer | None = None, workers: int = 1
) -> Card:
    """Trains a network, exports it, measures it, and leaves everything in a folder.

    Args:
        recipe: what is to be done.
        folder: made if it does not exist.
        resume: go on from the checkpoint in it; to the same result as without an interruption.
        observer: is told.
        workers: processes that measure samples for the card at the same time; training itself is on one thread.

    Raises:
        UsageError: the recipe asks for what is not to be had, there is no checkpoint, or a file cannot be written.
        PropertyError: the data does not fit.
        ModelError: the exported model does not say what the network does.
    """
    observer = observer or Observer()
    split = load_split(recipe.data)
    card_options(recipe, split.clip)  # says what is wrong with the card before the work is done
    checkpoint = Checkpoint.read(folder / CHECKPOINT, recipe.text, split.digest) if resume else None
    training = Training(recipe, split, checkpoint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made ({error.strerror})", str(folder), "choose another --output") from error
    write_whole(folder / RECIPE, recipe.text)

    def on_epoch(row: Row) -> None:
        write_whole(folder / LOG, log_text(training.rows))
        observer.on_epoch(row)

    network = training.run(folder / CHECKPOINT, on_epoch)
    observer.on_stage("exporting")
    model = export(network, split.test_x[:COMPARED], folder / MODEL)
    observer.on_stage("measuring")
    card = measured_card(recipe, model, split, training.seconds, workers, observer.on_stage)
    write_whole(folder / "card.json", card.json())
    write_whole(folder / "card.md", card.markdown())
    return card


def measured_card(
    recipe: Recipe,
    network: Network,
    split: Split,
    seconds: float,
    workers: int = 1,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Card:
    """The card of an exported network; `on_stage` is told how many samples are measured."""
    clean = clean_accuracy(network, split.test_x, split.test_y)
    wanted, done = min(recipe.card.samples, len(split.test_x)), 0

    def on_sample(_: object) -> None:
        nonlocal done
        done += 1
        on_stage(f"measuring, {done} of {wanted} samples")

    found = robust_accuracy(recipe, network, split, workers, on_sample)
    samples = 0 if found is None else len(found.answers)
    shares, wrong = ([], []) if found is None else (measured(found), contradictions(found))
    return Card(recipe, clean, len(split.test_x), samples, shares, seconds, wrong)


def log_text(rows: list[Row]) -> str:
    """The log as CSV, a line an epoch."""
    lines = [",".join(vars(rows[0]))] + [",".join(repr(value) for value in vars(row).values()) for row in rows]
    return "\n".join(lines) + "\n"
