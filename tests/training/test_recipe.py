"""Recipes: what is written reads back, and every mistake is one line that says where and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.small import recipe
from verifier.errors import VerifierError
from verifier.radii.known_data import drawn_parts
from verifier.training.data import load_split
from verifier.training.loop import Training
from verifier.training.measures import card_options
from verifier.training.methods import METHODS, method_of
from verifier.training.recipe import DataRecipe, load_recipe, parse_recipe, recipe_names, recipe_summary
from verifier.training.schedules import ramp_at, rate_at

GOOD = """
name = "net"
[data]
set = "digits"
[architecture]
widths = [8]
[training]
method = "interval"
epochs = 2
epsilon = 0.1
[training.parameters]
kappa = 0.5
"""

MISTAKES = [
    ('name = "net"', "name = 3", "name"),
    ('name = "net"', "", "'name' is missing"),
    ('name = "net"', 'name = ""', "mine.toml, name"),
    ('name = "net"', 'name = "a/b"', "a folder"),
    ('name = "net"', 'name = ".."', "a folder"),
    ('name = "net"', r'name = "a\nb"', "a folder"),
    ("epochs = 2", "epochs = 0", "training.epochs"),
    ("epochs = 2", "epochs = 2.5", "a whole number"),
    ("epochs = 2", "epoch = 2", "unknown key 'epoch'"),
    ("epochs = 2", "epochs = true", "a whole number"),
    ("epochs = 2", "epochs =", "TOML"),
    ("epsilon = 0.1", "epsilon = -1", "training.epsilon"),
    ("epsilon = 0.1", 'norm = "1"', "'2' or 'inf'"),
    ("epsilon = 0.1", 'rate_schedule = "linear"', "cosine"),
    ("epsilon = 0.1", "rate = inf", "positive"),
    ("epsilon = 0.1", 'ramp_shape = "steep"', "smooth"),
    ("widths = [8]", "widths = [0]", "architecture.widths"),
    ("widths = [8]", "widths = 8", "list"),
    ("widths = [8]", 'widths = ["8"]', "a whole number"),
    ("widths = [8]", "convolutions = [{ channels = 0 }]", "architecture.convolutions.channels"),
    ("[data]", "data = 3\n[dat]", "unknown key 'dat'"),
    ('method = "interval"', 'method = "magic"', "crown-interval"),
    ("kappa = 0.5", "kappa = 2.0", "kappa"),
    ("kappa = 0.5", "beta = 0.5", "unknown key 'beta'"),
    ("widths = [8]", 'activation = "sine"', "activation"),
    ("widths = [8]", 'dense = "round"', "dense"),
    ("widths = [8]", 'pooling = "round"', "pooling"),
    ("widths = [8]", "convolutions = [{ channels = 1, kernel = 11 }]", "kernel of 11"),
    ("epsilon = 0.1", "epsilon = 0.1\nwarm_up = 1\nramp = 2", "after 3 epochs"),
    ('set = "digits"', 'set = "digits"\nshift = -1', "data.shift"),
    ('set = "digits"', 'set = "digits"\nshift = 4', "less than half"),
    ("kappa = 0.5", 'kappa = 0.5\n[card]\nmethods = ["magic"]', "[card], methods"),
    ("kappa = 0.5", 'kappa = 0.5\n[card]\nmethods = ["smoothing"]', "leave it out"),
    ('set = "digits"', 'set = "letters"', "data set"),
    ('set = "digits"', 'set = "absent.npz"', "no such file"),
]


def begin(text: str) -> Training:
    """Goes as far as finds out every mistake."""
    found = parse_recipe(text, "mine.toml")
    method_of(found, "mine.toml")
    card_options(found, None)
    return Training(found, load_split(found.data))


@pytest.mark.parametrize(("right", "wrong", "told"), MISTAKES)
def test_mistakes_are_one_line(right: str, wrong: str, told: str) -> None:
    assert right in GOOD
    with pytest.raises(VerifierError) as raised:
        begin(GOOD.replace(right, wrong))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert ";" in str(raised.value)  # says what to do


def test_text_reads_back() -> None:
    for method in METHODS:
        found = recipe(method)
        assert parse_recipe(found.text, "x") == found
    assert parse_recipe(GOOD, "x").card_epsilons == (0.1,)
    odd = replace(recipe(), data=DataRecipe('a "b"\\\n\t\x7f\x01é.npz'))
    assert parse_recipe(odd.text, "x") == odd


@pytest.mark.parametrize("name", recipe_names())
def test_built_in_recipes_are_sound(name: str) -> None:
    found = load_recipe(name)
    assert found.name == name
    assert parse_recipe(found.text, name) == found
    assert recipe_summary(name)
    method_of(found)


def test_there_is_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(VerifierError, match="--list"):
        load_recipe("absent")
    with pytest.raises(VerifierError, match="cannot be read"):
        load_recipe(str(tmp_path / "absent.toml"))


def test_split_is_stratified_and_always_the_same() -> None:
    labels = np.repeat(np.arange(4), (5, 10, 50, 101))
    train, test = drawn_parts(labels)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert np.bincount(labels[test]).tolist() == [1, 2, 10, 20]
    again = drawn_parts(labels)
    assert (again[0] == train).all()
    assert (again[1] == test).all()


def test_users_own_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3, 2)), np.arange(40) % 2
    np.savez(tmp_path / "data.npz", x=x, y=y)
    split = load_split(DataRecipe(str(tmp_path / "data.npz")))
    assert split.x.shape == (32, 6)
    assert (split.classes, split.clip, split.image) == (2, (0.0, 1.0), (1, 3, 2))
    np.savez(tmp_path / "data.npz", x=3 * x, y=y)
    assert load_split(DataRecipe(str(tmp_path / "data.npz"))).clip is None
    np.savez(tmp_path / "data.npz", x=x)
    with pytest.raises(VerifierError, match="no labels"):
        load_split(DataRecipe(str(tmp_path / "data.npz")))


@pytest.mark.parametrize(("shape", "image"), [((2, 3, 4), (2, 3, 4)), ((9,), (1, 3, 3)), ((6,), (1, 1, 6))])
def test_images_have_the_shape_of_the_file(shape: tuple[int, ...], image: tuple[int, int, int], tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((10, *shape)), y=np.arange(10) % 2)
    assert load_split(DataRecipe(str(tmp_path / "data.npz"))).image == image


def test_samples_that_cannot_be_trained_on(tmp_path: Path) -> None:
    path, x = tmp_path / "data.npz", np.full((10, 6), 0.5)
    for samples, classes, told in (
        (x[:4], [0, 1, 0, 1], "none to test on"),
        (x * 1e300, np.arange(10) % 2, "float32"),
        (x, np.zeros(10), "two classes"),
        (x, np.arange(10) * 10**8, "a class 900000000"),
        (x, np.arange(9) % 2, "9"),
    ):
        np.savez(path, x=samples, y=classes)
        with pytest.raises(VerifierError, match=told):
            load_split(DataRecipe(str(path)))
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(VerifierError, match="no readable samples"):
        load_split(DataRecipe(str(path)))


def test_smooth_ramps_grow_slowly_at_first() -> None:
    asked = recipe(epochs=20, warm_up=2, ramp=10, ramp_shape="smooth").training
    found = np.array([ramp_at(asked, epoch) for epoch in np.linspace(0, 20, 2001)])
    assert (found[:200] == 0).all()
    assert (found[1200:] == 1).all()
    assert (np.diff(found[200:1200]) > 0).all()
    assert found[325] < 0.01  # an eighth of it
    steps = np.diff(found[200:1200])
    assert np.abs(np.diff(steps)).max() < 1e-4  # no kink
    assert steps[300:] == pytest.approx(steps[-1])


def test_schedules() -> None:
    training = recipe(epochs=10, warm_up=2, ramp=4).training
    assert [ramp_at(training, epoch) for epoch in (0, 2, 3, 4, 6, 10)] == [0, 0, 0.25, 0.5, 1, 1]
    assert rate_at(training, 0) == training.rate
    assert rate_at(training, 10) == pytest.approx(0.0, abs=1e-12)
    steps = recipe(epochs=10, rate_schedule="steps").training
    assert [rate_at(steps, epoch) / steps.rate for epoch in (0, 5.9, 6, 9)] == pytest.approx([1, 1, 0.1, 0.01])


def test_the_parts_are_those_that_the_shell_names() -> None:
    from verifier.radii.data import load_data
    from verifier.radii.known_data import split

    labels = load_data("digits", 64).labels
    assert labels is not None
    for ours, theirs in zip(drawn_parts(labels), split(labels), strict=True):
        assert np.array_equal(np.sort(ours), theirs)


def test_the_ramp_goes_with_the_number_of_epochs() -> None:
    training = recipe(epochs=40, warm_up=4, ramp=20).training
    assert [training.in_epochs(10).warm_up, training.in_epochs(10).ramp] == [1, 5]
    for epochs in (1, 3, 7, 100):
        shortened = training.in_epochs(epochs)
        assert shortened.epochs == epochs
        assert ramp_at(shortened, epochs) == 1
