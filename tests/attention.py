"""Attention, as the reader writes it: means of values, weighted with the entries of a softmax."""

from __future__ import annotations

import numpy as np

from verifier.network.functions import Exp, Reciprocal
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Composition, Dense, LinearMap, Scaling, Selection


def attention(rng: np.random.Generator, tokens: int, depth: int, copies: np.ndarray | None = None) -> Network:
    """`tokens` means of as many values of `depth` entries each, and a mix of them; copies: of softmax entries."""
    size, inputs = tokens * tokens, 3
    own, member = np.repeat(np.arange(size), tokens), np.arange(size * tokens) % tokens
    member = own // tokens * tokens + member
    own, member = np.where(own == member, -1, own), np.where(own == member, -1, member)
    minus: LinearMap = Composition(Scaling(-np.ones(len(own)), exact=True), Selection(own, size))
    # Product (i, j, d): entry (i, j) of the softmax times entry d of value j.
    i, j, d = (a.reshape(-1) for a in np.indices((tokens, tokens, depth)))
    weights = rng.normal(size=(2, tokens * depth))[:, i * depth + d]
    nodes: list[Node] = [
        Input(inputs),
        Affine((0,), (Dense(rng.normal(size=(size, inputs))),), rng.normal(size=size)),
        Affine((1, 1), (Selection(member, size), minus), np.zeros(len(own))),
        Elementwise((2,), Exp(), len(own)),
        Affine((3,), (Dense(np.ones((1, tokens)), size),), np.zeros(size)),
        Elementwise((4,), Reciprocal(), size),
        Affine((5,), (Selection(i * tokens + j if copies is None else copies, size),), np.zeros(len(i))),
        Affine((0,), (Dense(rng.normal(size=(tokens * depth, inputs))),), 3.0 + rng.normal(size=tokens * depth)),
        Affine((7,), (Selection(j * depth + d, tokens * depth),), np.zeros(len(i))),
        Product((6, 8), len(i)),
        Affine((9, 0), (Dense(weights), Dense(rng.normal(size=(2, inputs)))), rng.normal(size=2)),
    ]
    return Network(tuple(nodes))
