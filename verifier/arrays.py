"""The array type of the engine: any array of a library that follows the array API standard.

The engine (network, bounds, attacks) never names NumPy or torch in its arithmetic; it asks `namespace` of an
argument. NumPy decides small instances before torch could be imported; torch runs the same code on large networks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array

Array: TypeAlias = Any
"""An array of any library; float64 unless a docstring says otherwise."""

Convert: TypeAlias = Callable[[np.ndarray], Array]
"""Takes a NumPy array to the library, device and (for floats) dtype that a computation runs on."""


def namespace(*arrays: Array) -> Any:
    """The array API namespace of the arrays: NumPy itself, `array_api_compat.torch` ...

    NumPy follows the standard since version 2.1; its compatibility wrapper would take longer to import than NumPy.
    """
    for a in arrays:  # a plain loop: this is asked a hundred thousand times a minute
        if not isinstance(a, (np.ndarray, np.generic)):
            return array_namespace(*arrays)
    return np


def convert_like(example: Array) -> Convert:
    """A `Convert` to the library, device and float dtype of `example`; integers and booleans keep their dtype."""
    xp, where = namespace(example), device(example)

    def convert(a: np.ndarray) -> Array:
        if xp is not np and not a.flags.writeable:
            a = a.copy()  # torch would share the memory, and warns that it cannot keep it from being written
        if np.issubdtype(a.dtype, np.floating):
            return xp.asarray(a, dtype=example.dtype, device=where)
        return xp.asarray(a, device=where)

    return convert


def to_numpy(a: Array) -> np.ndarray:
    """The array as a NumPy array on the host."""
    if is_numpy_array(a):
        return np.asarray(a)
    return np.asarray(a.detach().cpu()) if hasattr(a, "detach") else np.asarray(a)


def zeros(example: Array, shape: tuple[int, ...]) -> Array:
    """Zeros of the given shape in the library, device and dtype of `example`."""
    return namespace(example).zeros(shape, dtype=example.dtype, device=device(example))
