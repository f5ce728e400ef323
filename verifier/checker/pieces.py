"""Works off pieces of work that lead to further ones, in this thread or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Piece = Callable[[], list[Any]]
"""Does some work and returns the pieces that follow from it; what it raises ends all."""


def work_off(pieces: Iterable[Piece], workers: int = 1) -> None:
    """Runs all pieces, and what follows from each before what was there already.

    With several workers no more pieces are begun than there are workers, so that those that wait take no memory.
    """
    waiting = list(pieces)[::-1]
    if workers == 1:
        while waiting:
            waiting += waiting.pop()()[::-1]
        return
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    with ThreadPoolExecutor(workers) as pool:
        begun: set[Future[list[Piece]]] = set()
        while waiting or begun:
            while waiting and len(begun) < workers:
                begun.add(pool.submit(waiting.pop()))
            done, begun = wait(begun, return_when=FIRST_COMPLETED)
            for piece in done:
                waiting += piece.result()[::-1]
