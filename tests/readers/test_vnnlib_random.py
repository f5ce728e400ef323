"""Random formulas in random layouts mean the same to the reader as to a plain evaluator; so do its two paths."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers import plain_vnnlib
from verifier.property.query import Query
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.version1 import read_version1

INPUTS, OUTPUTS = 2, 3
NAMES = [f"X_{i}" for i in range(INPUTS)] + [f"Y_{j}" for j in range(OUTPUTS)]
GRID = ["0", "1", "-1", "0.5", "-0.5", "0.25", "1.5", "2", "1e-1", "0.3"]
"""Few constants, so that random points often meet them exactly."""

numbers = st.sampled_from(GRID)
names = st.sampled_from(NAMES)
relations = st.sampled_from(["<=", ">=", "<", ">", "="])
simple_atoms = st.builds("({} {} {})".format, st.sampled_from(["<=", ">=", "<", ">"]), names, st.one_of(numbers, names))
terms = st.recursive(
    st.one_of(numbers, names),
    lambda inner: st.one_of(
        st.builds("(+ {} {} {})".format, inner, inner, inner),
        st.builds("(- {} {})".format, inner, inner),
        st.builds("(- {})".format, inner),
        st.builds("(* {} {})".format, numbers, inner),
        st.builds("(* {} (- 1 3))".format, inner),
        st.builds("(/ {} 3)".format, inner),
    ),
    max_leaves=4,
)
general_atoms = st.one_of(
    st.builds("({} {} {})".format, relations, terms, terms),
    st.builds("({} {} {} {})".format, relations, terms, names, terms),
    st.sampled_from(["true", "false"]),
)
formulas = st.recursive(
    st.one_of(simple_atoms, simple_atoms, general_atoms),
    lambda inner: st.builds(
        lambda connective, parts: f"({connective} {' '.join(parts)})",
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=14,
)
FENCES = [f"({relation} {name} {bound})" for name in NAMES[:INPUTS] for relation, bound in ((">=", "-3"), ("<=", "3"))]


def text_of(assertions: list[str], seed: int) -> str:
    """A property file: declarations and assertions shuffled, laid out at random, with comments."""
    rng = random.Random(seed)
    commands = [f"(declare-const {name} Real)" for name in NAMES] + [f"(assert {a})" for a in assertions]
    rng.shuffle(commands)
    spaces = [" ", "  ", "\n", "\t", "\r\n", " ; a (comment\n", ";) X_9\n "]
    pieces = []
    for token in " ".join(commands).replace("(", " ( ").replace(")", " ) ").split():
        pieces.append(token)
        pieces.append(" " if rng.random() < 0.8 else rng.choice(spaces))
    text = "".join(pieces)
    return text.replace("( ", "(").replace(" )", ")") if rng.random() < 0.7 else text


def points(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points on the grid of the formulas' constants, a little off it, and anywhere."""
    rng = np.random.default_rng(seed)
    grid = np.array([float(Fraction(g)) for g in GRID])
    size = INPUTS + OUTPUTS
    chosen = [rng.choice(grid, size) for _ in range(12)]
    chosen += [rng.choice(grid, size) + rng.choice([-1e-7, 0, 1e-7], size) for _ in range(4)]
    chosen += [rng.uniform(-4, 4, size) for _ in range(4)]
    return [(p[:INPUTS].astype(np.float32), p[INPUTS:].astype(np.float32)) for p in chosen]


def check_agreement(text: str, query: Query, seed: int) -> None:
    for x, y in points(seed):
        assert query.violated(x, y) == plain_vnnlib.violated(text, x, y), (x, y)


@settings(deadline=None)
@given(st.lists(formulas, min_size=1, max_size=4), st.integers(0, 2**32))
def test_random_formulas(assertions: list[str], seed: int) -> None:
    text = text_of(FENCES + assertions, seed)
    check_agreement(text, read_version1(Source.of(text, "p")), seed)


@settings(deadline=None)
@given(st.lists(st.lists(simple_atoms, min_size=1, max_size=5), min_size=1, max_size=5), st.integers(0, 2**32))
def test_bulk_and_token_paths_agree(branches: list[list[str]], seed: int) -> None:
    """The same formula, once as it is and once with every atom in a form that is not taken apart in bulk."""
    simple = "(or " + " ".join(f"(and {' '.join(atoms)})" for atoms in branches) + ")"
    general = simple
    for relation in ("<=", ">=", "<", ">"):
        for name in NAMES:
            general = general.replace(f"({relation} {name} ", f"({relation} (+ {name}) ")
    texts = [text_of([*FENCES, formula], seed) for formula in (simple, general)]
    queries = [read_version1(Source.of(text, "p")) for text in texts]
    first, second = ([(set(d.rows), *_entries(d.box)) for d in query.disjuncts] for query in queries)
    assert first == second
    check_agreement(texts[0], queries[0], seed)


def _entries(box: object) -> list[list[float]]:
    return [getattr(box, name).tolist() for name in ("lower", "upper", "inner_lower", "inner_upper")]
