"""Threads that work on parts of a batch.

NumPy gives the interpreter's lock back in all large operations, so that two threads with one BLAS thread each are
quicker than one with two: everything but the matrix products runs in parallel too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from verifier.search.allocation import keep_freed_memory

Together: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Applies a function to parts of the work, results in order (`map`, `Executor.map`)."""


@contextmanager
def workers(threads: int) -> Iterator[Together]:
    """`map` on so many threads; from then on the process keeps the memory of freed arrays."""
    from threadpoolctl import threadpool_limits

    keep_freed_memory()
    with threadpool_limits(limits=1):
        if threads < 2:
            yield map
            return
        with ThreadPoolExecutor(threads, initializer=_quiet) as pool:
            yield pool.map


def _quiet() -> None:
    """Infinities and NaN are expected, and handled where they arise; NumPy keeps this setting for each thread."""
    np.seterr(all="ignore")
