"""Linear maps between flat vectors, each with its adjoint and with the map of its absolute weights.

`terms` bounds the products that are added up in any entry of the map or its adjoint. `slack` is a relative error of
the weights themselves, where they are rounded values of what the model means (a mean's 1/9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Move:
    """y[i] = factor[i] x[index[i]]; 0 where the index is -1."""

    index: Array
    size: int
    factor: Array | None = None
    slack: float = 0.0

    @cached_property
    def terms(self) -> int:
        """How often one entry is taken at most."""
        return int(np.bincount(self.index[self.index >= 0], minlength=1).max())

    @cached_property
    def is_identity(self) -> bool:
        """Whether it gives back what it takes."""
        return self.factor is None and self._stays

    @cached_property
    def _stays(self) -> bool:
        return len(self.index) == self.size and bool((self.index == np.arange(self.size)).all())

    def apply(self, x: Array) -> Array:
        y = x if self._stays else np.where(self.index >= 0, x[..., self.index], 0)
        return y if self.factor is None else y * self.factor

    def adjoint(self, row: Array) -> Array:
        if self.factor is not None:
            row = row * self.factor
        if self._stays:
            return row
        flat = row.reshape(-1, row.shape[-1])
        used = np.flatnonzero(self.index >= 0)
        total = np.zeros((len(flat), self.size), row.dtype)
        if self.terms <= 1:
            total[:, self.index[used]] = flat[:, used]
        else:
            np.add.at(total.T, self.index[used], flat[:, used].T)
        return total.reshape(*row.shape[:-1], self.size)

    @property
    def absolute(self) -> Move:
        return self if self.factor is None else replace(self, factor=abs(self.factor))


@dataclass(frozen=True, eq=False)
class Dense:
    """A matrix along the middle axis: x of shape (before, columns, after), y of (before, rows, after)."""

    weight: Array
    before: int = 1
    after: int = 1
    slack: float = 0.0

    @property
    def terms(self) -> int:
        return max(self.weight.shape)

    def apply(self, x: Array) -> Array:
        return self._product(self.weight, x)

    def adjoint(self, row: Array) -> Array:
        return self._product(self.weight.T, row)

    def _product(self, weight: Array, x: Array) -> Array:
        if self.before == self.after == 1:
            return x @ weight.T
        shaped = x.reshape(*x.shape[:-1], self.before, weight.shape[1], self.after)
        return (weight @ shaped).reshape(*x.shape[:-1], self.before * weight.shape[0] * self.after)

    @property
    def absolute(self) -> Dense:
        return replace(self, weight=abs(self.weight))


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution over any number of axes, of a batch of images of shape (channels, ...).

    Attributes:
        kernel: shape (filters, channels / groups, ...).
        image: shape of each image, (channels, ...).
        strides, dilations, begin, end: one number an axis; the last two are zeros put before and behind.
        batch: how many images there are.
    """

    kernel: Array
    image: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    groups: int = 1
    slack: float = 0.0
    batch: int = 1

    @cached_property
    def terms(self) -> int:
        return int(np.prod(self.kernel.shape[1:])) * max(1, self.kernel.shape[0] // self.groups)

    @cached_property
    def padded(self) -> tuple[int, ...]:
        return tuple(n + a + b for n, a, b in zip(self.image[1:], self.begin, self.end, strict=True))

    @cached_property
    def out(self) -> tuple[int, ...]:
        reach = [(k - 1) * d + 1 for k, d in zip(self.kernel.shape[2:], self.dilations, strict=True)]
        sizes = [(n - r) // s + 1 for n, r, s in zip(self.padded, reach, self.strides, strict=True)]
        return (self.kernel.shape[0], *sizes)

    def apply(self, x: Array) -> Array:
        flat = x.reshape(-1, *self.image)
        image = np.zeros((len(flat), self.image[0], *self.padded), x.dtype)
        image[(slice(None), slice(None), *self._inside)] = flat
        y = np.zeros((len(flat), self.groups, self.out[0] // self.groups, *self.out[1:]), x.dtype)
        for at, weight in self._steps:
            part = image[(slice(None), slice(None), *at)].reshape(len(flat), self.groups, -1, *self.out[1:])
            y += _mixed(weight, part)
        return y.reshape(*x.shape[:-1], self.batch * int(np.prod(self.out)))

    def adjoint(self, row: Array) -> Array:
        flat = row.reshape(-1, self.groups, self.out[0] // self.groups, *self.out[1:])
        image = np.zeros((len(flat), self.image[0], *self.padded), row.dtype)
        for at, weight in self._steps:
            part = _mixed(weight.swapaxes(1, 2), flat)
            image[(slice(None), slice(None), *at)] += part.reshape(len(flat), self.image[0], *self.out[1:])
        inside = image[(slice(None), slice(None), *self._inside)]
        return inside.reshape(*row.shape[:-1], self.batch * int(np.prod(self.image)))

    @property
    def _inside(self) -> tuple[slice, ...]:
        return tuple(slice(a, a + n) for a, n in zip(self.begin, self.image[1:], strict=True))

    def places(self) -> list[tuple[slice, ...]]:
        """For each place in the kernel, in row-major order, the entries of the padded image that it meets."""
        return [
            tuple(
                slice(p * d, p * d + (n - 1) * s + 1, s)
                for p, d, n, s in zip(place, self.dilations, self.out[1:], self.strides, strict=True)
            )
            for place in np.ndindex(*self.kernel.shape[2:])
        ]

    @cached_property
    def _steps(self) -> list[tuple[tuple[slice, ...], Array]]:
        """The same, each with the place's matrices by group."""
        flat = self.kernel.reshape(*self.kernel.shape[:2], -1)
        weights = [flat[..., k].reshape(self.groups, -1, flat.shape[1]) for k in range(flat.shape[2])]
        return list(zip(self.places(), weights, strict=True))

    @property
    def absolute(self) -> Convolution:
        return replace(self, kernel=abs(self.kernel))


def _mixed(weight: Array, image: Array) -> Array:
    """Matrices (groups, out, in) times an image (n, groups, in, ...), along its third axis."""
    shaped = image.reshape(*image.shape[:3], -1)
    return (weight @ shaped).reshape(image.shape[0], *weight.shape[:2], *image.shape[3:])


@dataclass(frozen=True, eq=False)
class Adjoint:
    """The adjoint of a map, as a map."""

    of: Convolution

    @property
    def terms(self) -> int:
        return self.of.terms

    @property
    def slack(self) -> float:
        return self.of.slack

    def apply(self, x: Array) -> Array:
        return self.of.adjoint(x)

    def adjoint(self, row: Array) -> Array:
        return self.of.apply(row)

    @property
    def absolute(self) -> Adjoint:
        return Adjoint(self.of.absolute)


Map = Move | Dense | Convolution | Adjoint
