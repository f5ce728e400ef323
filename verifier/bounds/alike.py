"""Entries of a node that are others, or their opposites, plus a constant: one bound does for all of them.

Attention copies each query to every key, and takes the difference of two scores both ways: of the entries that products
and exponentials work on, a fifth or less is new.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.arrays import to_numpy
from verifier.network.fusion import Monomial
from verifier.network.graph import Affine, Node
from verifier.tolerances import UNIT_ROUNDOFF, gamma


@dataclass(frozen=True, eq=False)
class Alike:
    """Entry j of a node is sign[j] times entry like[j] plus a constant; like[like[j]] = like[j].

    Attributes:
        like, sign: shape (size,).
        offset, slack: the constant as computed, and its error at most, shape (size,).
    """

    like: np.ndarray
    sign: np.ndarray
    offset: np.ndarray
    slack: np.ndarray

    @classmethod
    def of(cls, node: Node) -> Alike:
        """What can be read off a node that only moves, adds up and takes off entries; elsewhere all are different."""
        none = np.zeros(node.size)
        alone = cls(np.arange(node.size), np.ones(node.size), none, none)
        if not isinstance(node, Affine) or not node.size:
            return alone
        terms = []
        for operand, linear_map in zip(node.operands, node.maps, strict=True):
            monomial = Monomial.of(linear_map)
            if monomial is None or not monomial.moves:
                return alone
            places = np.where(monomial.places < 0, 0.0, (1.0 + operand) * (1 << 32) + 1 + monomial.places)
            terms.append(places if monomial.factors is None else places * to_numpy(monomial.factors))
        if not terms:
            return alone
        signed = np.stack(terms, axis=1)
        signed = np.take_along_axis(signed, np.argsort(-np.abs(signed), axis=1, kind="stable"), axis=1)
        sign = np.where(signed[:, 0] < 0, -1.0, 1.0)
        _, first, which = np.unique(signed * sign[:, None] + 0.0, axis=0, return_index=True, return_inverse=True)
        like = first[which.reshape(-1)]
        sign = sign * sign[like]
        bias, size = to_numpy(node.bias), to_numpy(node.bias_magnitude)
        offset = bias - sign * bias[like]
        same = (offset == 0) & (size == np.abs(bias)) & (size[like] == np.abs(bias[like]))
        return cls(like, sign, offset, np.where(same, 0.0, gamma(2) * (size + size[like])))

    def bounds(self, entries: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Lower bounds of entries and of their negatives, given those of the entries they are like; shape (2, P)."""
        sign, offset, slack = self.sign[entries], self.offset[entries], self.slack[entries]
        ends = np.where(sign > 0, ends, ends[::-1])
        moved = ends + np.stack([offset, -offset])
        return np.where(slack == 0, ends, moved - slack - 4 * UNIT_ROUNDOFF * np.abs(moved))
