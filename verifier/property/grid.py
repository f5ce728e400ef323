"""Which numbers an input can be: float32, or float16 and bfloat16, of which float32 holds every one.

A vector of inputs is kept as float32 (float64 for what a float64 input is fixed to) whatever the types of its parts. A
bfloat16 is the upper half of a float32, so that neither needs arrays of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.network.graph import Port

SHORT = ("float16", "bfloat16")
"""The types of 16 bits, the finer one first."""
_LOWER_HALF = np.uint32(0xFFFF)


@dataclass(frozen=True, eq=False)
class Grid:
    """The numbers that each entry of an input can be.

    Attributes:
        short: the types of 16 bits among the inputs' types, each with its entries, booleans, shape (input_size,); the
            other entries are float32, or of a type that is rounded to where the model is run.
    """

    short: tuple[tuple[str, np.ndarray], ...] = ()

    @classmethod
    def of(cls, ports: Sequence[Port]) -> Grid:
        """The grid of a network's inputs."""
        numbers = [port.numbers or port.dtype for port in ports]
        if not any(name in SHORT for name in numbers):
            return FLOAT32
        types = np.repeat(numbers, [port.size for port in ports])
        return cls(tuple((name, types == name) for name in SHORT if (types == name).any()))

    def nearest(self, x: np.ndarray) -> np.ndarray:
        """The nearest numbers to `x` of shape (..., input_size), float32; infinite beyond the largest."""
        with np.errstate(over="ignore"):
            found = x.astype(np.float32)
            for name, where in self.short:
                found[..., where] = _nearest(x[..., where], name)
        return found

    def at_least(self, x: np.ndarray) -> np.ndarray:
        """The smallest numbers that are at least `x`, floats of shape (..., input_size) that hold float32 numbers.

        Entries that are not of 16 bits stay, and so does the array's type.
        """
        found = x.copy()
        for name, where in self.short:
            found[..., where] = _at_least(x[..., where].astype(np.float32), name)
        return found

    def at_most(self, x: np.ndarray) -> np.ndarray:
        """The largest numbers that are at most `x`, as above."""
        return -self.at_least(-x)

    def towards(self, x: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """Each entry of `x` rounded towards the anchor, or to the nearest where that would step over it; float32.

        Args:
            x, anchor: float64, shape (input_size,).
        """
        nearest = self.nearest(x)
        overshoot = np.sign(nearest.astype(np.float64) - x) == np.sign(x - anchor)
        up, inf = x < anchor, np.float32(np.inf)
        above, below = self.at_least(np.nextafter(nearest, inf)), self.at_most(np.nextafter(nearest, -inf))
        back = np.where(up, above, below)
        stays = (back.astype(np.float64) - anchor) * (x - anchor) >= 0
        return np.where(overshoot & (x != anchor) & stays, back, nearest)


FLOAT32 = Grid()
"""All entries are float32."""


def _nearest(x: np.ndarray, name: str) -> np.ndarray:
    if name == "float16":
        return x.astype(np.float16).astype(np.float32)
    bits = x.astype(np.float32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return _upper_half(x.astype(np.float32), bits + np.uint32(0x7FFF) + odd)


def _at_least(x: np.ndarray, name: str) -> np.ndarray:
    """The smallest numbers of a type that are at least the float32 `x`."""
    if name == "float16":
        with np.errstate(over="ignore"):
            nearest = x.astype(np.float16)
            above = np.nextafter(nearest, np.float16(np.inf))
            return np.where(nearest.astype(np.float32) >= x, nearest, above).astype(np.float32)
    bits = x.view(np.uint32)  # without its lower half, a number is nearer to 0
    return _upper_half(x, np.where(x > 0, bits + _LOWER_HALF, bits))


def _upper_half(x: np.ndarray, bits: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), x, (bits & ~_LOWER_HALF).view(np.float32))
