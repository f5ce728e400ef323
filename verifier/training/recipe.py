"""A recipe: all that decides what a network becomes, read from a TOML file whose every mistake is one clear line."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from verifier.errors import UsageError
from verifier.training.fields import as_table, read_table, written_table

NORMS = {"2": 2.0, "inf": math.inf}
RATE_SCHEDULES = ("constant", "cosine", "steps")
OPTIMISERS = ("adam", "sgd")
RAMP_SHAPES = ("linear", "smooth")


def _check(holds: bool, cause: str, key: str, fix: str) -> None:
    """Complains of a value; whoever read it adds the file and the section."""
    if not holds:
        raise UsageError(cause, key, fix)


@dataclass(frozen=True)
class DataRecipe:
    """Which samples.

    Attributes:
        set: ``digits``, ``mnist5k``, or an ``.npz`` file with `x` in [0, 1] and `y`.
        limit: samples to train on at most; 0 for all.
        shift: pixels by which images are moved at random in training, up, down and sideways; zeros come in.
    """

    set: str
    limit: int = 0
    shift: int = 0

    def __post_init__(self) -> None:
        _check(self.limit >= 0, f"a limit of {self.limit}", "limit", "give a number of samples, or 0 for all")
        _check(self.shift >= 0, f"a shift of {self.shift}", "shift", "give a number of pixels, or 0 for none")


@dataclass(frozen=True)
class ConvolutionRecipe:
    """One convolution: channels, size of the kernel, stride, zeros (or what the kind pads with) on each side."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1

    def __post_init__(self) -> None:
        for name in ("channels", "kernel", "stride"):
            value = getattr(self, name)
            _check(value >= 1, f"{value} is too small", name, "give a whole number from 1 on")
        _check(self.padding >= 0, f"a padding of {self.padding}", "padding", "give a whole number from 0 on")


@dataclass(frozen=True)
class ArchitectureRecipe:
    """Convolutions, then dense layers, an activation after each but the last.

    Attributes:
        widths: of the hidden dense layers.
        convolutions: the layers before those.
        activation: ``relu``, or one of the 1-Lipschitz layers' registry.
        dense, convolution: the kind of the layers: ``plain``, or one of that registry.
        last: the kind of the last layer; as `dense` if empty.
        pooling: after every convolution's activation: ``none``, or one of that registry.
        convolution_padding: of 1-Lipschitz convolutions: ``zeros``, ``circular``, ``reflect`` or ``replicate``.
    """

    widths: tuple[int, ...] = ()
    convolutions: tuple[ConvolutionRecipe, ...] = ()
    activation: str = "relu"
    dense: str = "plain"
    convolution: str = "plain"
    last: str = ""
    pooling: str = "none"
    convolution_padding: str = "zeros"

    def __post_init__(self) -> None:
        _check(all(w >= 1 for w in self.widths), f"widths {list(self.widths)}", "widths", "give numbers from 1 on")


@dataclass(frozen=True)
class TrainingRecipe:
    """How.

    Attributes:
        method: a name of `verifier.training.methods`.
        epochs, batch: passes over the data, samples a step.
        rate: of the optimiser, at first.
        rate_schedule: ``constant``, ``cosine`` down to 0, or ``steps``: a tenth after 60 % and again after 85 %.
        optimiser: ``adam`` or ``sgd`` (momentum 0.9).
        decay: of the weights.
        epsilon: the perturbation trained against; 0 for none.
        norm: ``2`` or ``inf``.
        warm_up, ramp: epochs at epsilon 0, and then epochs in which it grows.
        ramp_shape: ``linear``, or ``smooth``: slowly at first.
        parameters: the method's own.
    """

    method: str
    epochs: int
    batch: int = 64
    rate: float = 1e-3
    rate_schedule: str = "cosine"
    optimiser: str = "adam"
    decay: float = 0.0
    epsilon: float = 0.0
    norm: str = "inf"
    warm_up: int = 0
    ramp: int = 0
    ramp_shape: str = "linear"
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, f"{self.epochs} epochs", "epochs", "give a whole number from 1 on")
        _check(self.batch >= 1, f"a batch of {self.batch}", "batch", "give a whole number from 1 on")
        _check(0 < self.rate < math.inf, f"a rate of {self.rate}", "rate", "give a positive number")
        _check(0 <= self.decay < math.inf, f"a decay of {self.decay}", "decay", "give a number from 0 on")
        _check(0 <= self.epsilon < math.inf, f"an epsilon of {self.epsilon}", "epsilon", "give a number from 0 on")
        _check(self.norm in NORMS, f"a norm {self.norm!r}", "norm", "give '2' or 'inf'")
        _check(min(self.warm_up, self.ramp) >= 0, "a negative length", "warm_up", "give epochs from 0 on")
        needed = self.warm_up + self.ramp
        cause = f"epsilon is reached after {needed} epochs (warm_up and ramp), and there are {self.epochs}"
        _check(needed <= self.epochs, cause, "epochs", "give more, or a shorter ramp")
        choices = {"rate_schedule": RATE_SCHEDULES, "optimiser": OPTIMISERS, "ramp_shape": RAMP_SHAPES}
        for key, known in choices.items():
            value = getattr(self, key)
            _check(value in known, f"there is no {key} {value!r}", key, f"choose one of {', '.join(known)}")

    def in_epochs(self, epochs: int) -> TrainingRecipe:
        """The same in fewer or more epochs, `warm_up` and `ramp` shortened or lengthened with them."""
        warm_up, ramp = (length * epochs // self.epochs for length in (self.warm_up, self.ramp))
        return replace(self, epochs=epochs, warm_up=warm_up, ramp=ramp)


@dataclass(frozen=True)
class CardRecipe:
    """What the card measures.

    Attributes:
        epsilons: perturbations; the training's own if empty.
        norm: theirs; the training's own if empty.
        samples: the first of the test set, at most so many.
        timeout: seconds for all methods on one sample and epsilon.
        methods: of `verifier accuracy`; if empty, attacks and certificates that suit the norm.
    """

    epsilons: tuple[float, ...] = ()
    norm: str = ""
    samples: int = 100
    timeout: float = 5.0
    methods: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        fine = all(0 < e < math.inf for e in self.epsilons)
        _check(fine, f"epsilons {list(self.epsilons)}", "epsilons", "give positive numbers")
        _check(self.norm in ("", *NORMS), f"a norm {self.norm!r}", "norm", "give '2' or 'inf'")
        _check(self.samples >= 1, f"{self.samples} samples", "samples", "give a whole number from 1 on")
        _check(0 < self.timeout < math.inf, f"a timeout of {self.timeout}", "timeout", "give a positive number")


@dataclass(frozen=True)
class Recipe:
    """All of it.

    Attributes:
        name: of the network, and of its folder where no other is given.
        data, architecture, training, card: the sections.
        seed: of the weights at first, the order of the samples and all noise.
    """

    name: str
    data: DataRecipe
    architecture: ArchitectureRecipe
    training: TrainingRecipe
    card: CardRecipe = field(default_factory=CardRecipe)
    seed: int = 0

    def __post_init__(self) -> None:
        fit = self.name.isprintable() and self.name.strip(" .") and not set(self.name) & set("/\\")
        _check(bool(fit), f"a name {self.name!r}", "name", "give one that a folder can have")
        _check(0 <= self.seed < 2**63, f"a seed of {self.seed}", "seed", "give a whole number from 0 on")

    @property
    def norm(self) -> float:
        """Of the perturbations trained against."""
        return NORMS[self.training.norm]

    @property
    def card_norm(self) -> float:
        return NORMS[self.card.norm or self.training.norm]

    @property
    def card_epsilons(self) -> tuple[float, ...]:
        """Ascending."""
        own = (self.training.epsilon,) if self.training.epsilon > 0 else ()
        return tuple(sorted(set(self.card.epsilons or own)))

    @property
    def text(self) -> str:
        """As TOML that reads back the same."""
        return written_table(self)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        return as_table(self)


def parse_recipe(text: str, file: str) -> Recipe:
    """A recipe from TOML.

    Args:
        text: the file's content.
        file: its name, for messages.

    Raises:
        UsageError: it is no TOML, or no recipe: which key of which section, and what to do.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"no readable TOML ({error})", file, "correct that line") from error
    return read_table(Recipe, table, file)


def load_recipe(name: str) -> Recipe:
    """A recipe from a file, or a built-in one by its name.

    Raises:
        UsageError: there is none, or it is wrong.
    """
    built_in = resources.files("verifier.training") / "recipes" / f"{name}.toml"
    if name in recipe_names():
        return parse_recipe(built_in.read_text(encoding="utf-8"), f"{name}.toml")
    path = Path(name)
    if not path.suffix:
        raise UsageError(f"there is no recipe {name!r}", fix="verifier train --list shows all, or give a .toml file")
    try:
        return parse_recipe(path.read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise UsageError(f"cannot be read ({cause})", name, "give a recipe, a .toml file") from error


def recipe_names() -> list[str]:
    """The built-in recipes, sorted."""
    folder = resources.files("verifier.training") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def recipe_summary(name: str) -> str:
    """The comment that a built-in recipe begins with."""
    text = (resources.files("verifier.training") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    return text.partition("\n")[0].lstrip("# ")
