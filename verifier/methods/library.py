"""The one place that chooses which library convolves: NumPy, or torch's kernels once they pay for torch's import.

Torch takes two to three seconds of CPU to load. Nobody knows beforehand how long a task will take, so torch is loaded
where the task has already taken about as long: at worst that doubles the time, and no short task pays for it. A network
so large that nothing about it is short has it at once.
Everything but the convolutions stays in NumPy, whose arrays torch's kernels take as they are. Processes that share a
search have one thread each, which `search.crew` sees to: torch's further threads would not survive a fork. Tasks whose
arrays are torch's already (`Options.device`) have its kernels anyway.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from array_api_compat import is_numpy_array

from verifier.methods.task import Task
from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Adjoint, Composition, Convolution, LinearMap

IMPORT = 2.0
"""Seconds that a task has taken before torch is loaded for it: about those of the import."""

LEFT = 10.0
"""Seconds that it must have left."""

MULTIPLICATIONS = 2e5
"""Of all convolutions in one pass, from which on they are most of the work."""

LARGE = 2e7
"""Multiplications from which on torch is loaded at once."""


def torch_kernels(task: Task) -> None:
    """Has torch's kernels convolve from here on, where that pays."""
    work = convolution_work(task.forms)
    if not is_numpy_array(task.example) or task.convolves_by_torch or work < MULTIPLICATIONS:
        return
    if "torch" in sys.modules:
        why = "it is loaded already"
    elif task.deadline.remaining < LEFT or find_spec("torch") is None:
        return
    elif work >= LARGE:
        why = "that is worth its import"
    elif task.deadline.elapsed >= IMPORT:
        why = f"{task.deadline.elapsed:.1f} s have passed, about as long as its import"
    else:
        return
    import_module("torch")
    task.convolve_by_torch()
    task.explain(f"torch convolves: {work:.2g} multiplications a pass are convolutions, and {why}")


def convolution_work(network: Network) -> float:
    """Multiplications of all convolutions in one pass of one vector."""
    maps = (m for node in network.nodes if isinstance(node, Affine) for m in node.maps)
    return sum(_work(m) for m in maps)


def _work(linear_map: LinearMap) -> float:
    match linear_map:
        case Convolution():
            return float(linear_map.multiplications)
        case Adjoint():
            return _work(linear_map.of)
        case Composition():
            return _work(linear_map.outer) + _work(linear_map.inner)
    return 0.0
