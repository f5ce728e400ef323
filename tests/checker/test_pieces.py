"""Pieces of work that lead to further ones, in this thread and in several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock

import pytest

from tests.checker.claims import NAMES, claim, proof, read
from verifier.checker.bounds import Weak
from verifier.checker.check import Check
from verifier.checker.pieces import Piece, work_off


def tree(seen: list[str], lock: Lock, name: str = "") -> list[Piece]:
    with lock:
        seen.append(name)
    return [partial(tree, seen, lock, name + letter) for letter in "ab"] if len(name) < 5 else []


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_is_done_once(workers: int) -> None:
    seen: list[str] = []
    work_off([partial(tree, seen, Lock())], workers)
    assert len(seen) == len(set(seen)) == 2**6 - 1
    if workers == 1:
        assert seen == sorted(seen)  # in depth first, in order


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_raised_ends_all(workers: int) -> None:
    begun: list[int] = []

    def piece(number: int) -> list[Callable[[], list[Piece]]]:
        begun.append(number)
        if number == 3:
            raise Weak("three")
        return []

    with pytest.raises(Weak, match="three"):
        work_off([partial(piece, number) for number in range(100)], workers)
    assert len(begun) < 100


@pytest.mark.parametrize(("network", "prop"), NAMES[:2])
def test_several_workers_say_the_same(network: str, prop: str, tmp_path: Path) -> None:
    told: list[int] = []
    made = read(proof(network, prop), tmp_path)
    Check(*claim(network, prop), made, progress=told.append, workers=3).run()
    assert told[-1] == len(made["leaf_node"])
    assert told == sorted(told)
