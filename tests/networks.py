"""Small random networks for tests, and plain interval bounds that share no code with `verifier.bounds`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from verifier.network.functions import Relu, ScalarFunction, Sigmoid, Sin, Tanh
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Convolution, Dense, Identity, LinearMap, Scaling, Selection
from verifier.network.linear_maps.convolution import Window

SMOOTH = (Sigmoid(), Tanh(), Sin())


def dense(rng: np.random.Generator, out_size: int, in_size: int) -> Dense:
    """A random matrix whose rows have norm about 1."""
    return Dense(rng.normal(size=(out_size, in_size)) / np.sqrt(in_size))


def random_relu_network(rng: np.random.Generator, sizes: Sequence[int]) -> Network:
    """A fully connected relu network; `sizes` are of the input, the hidden layers and the output."""
    nodes: list[Node] = [Input(sizes[0])]
    for k, (before, after) in enumerate(pairwise(sizes), start=2):
        nodes.append(Affine((len(nodes) - 1,), (dense(rng, after, before),), 0.3 * rng.normal(size=after)))
        if k < len(sizes):
            nodes.append(Elementwise((len(nodes) - 1,), Relu(), after))
    return Network(tuple(nodes))


def random_dag(
    rng: np.random.Generator,
    functions: Sequence[ScalarFunction] = (Relu(), *SMOOTH),
    products: bool = True,
    depth: int = 6,
) -> Network:
    """A graph of affine nodes with skips, functions, products, selections and convolutions over 2 to 4 inputs.

    At most two products, so that values stay moderate on inputs of a few units.
    """
    nodes: list[Node] = [Input(int(rng.integers(2, 5)))]
    for _ in range(depth):
        size = int(rng.integers(2, 6))
        nodes.append(_random_affine(rng, nodes, size))
        if products and rng.random() < 0.3 and sum(isinstance(node, Product) for node in nodes) < 2:
            nodes.append(_random_affine(rng, nodes, size))
            nodes.append(Product((len(nodes) - 1, int(rng.choice([len(nodes) - 1, len(nodes) - 2]))), size))
        elif rng.random() < 0.8:
            function = functions[int(rng.integers(len(functions)))]
            nodes.append(Elementwise((len(nodes) - 1,), function, size))
    nodes.append(_random_affine(rng, nodes, 3))
    return Network(tuple(nodes))


def _random_affine(rng: np.random.Generator, nodes: Sequence[Node], size: int) -> Affine:
    """Of the last node and, half of the time, an earlier one as well (a skip connection)."""
    operands = [len(nodes) - 1]
    if rng.random() < 0.5:
        operands.append(int(rng.integers(len(nodes))))
    maps = tuple(_random_map(rng, size, nodes[i].size) for i in operands)
    bias = 0.3 * rng.normal(size=size) if rng.random() < 0.7 else np.zeros(size)
    return Affine(tuple(operands), maps, bias)


def _random_map(rng: np.random.Generator, out_size: int, in_size: int) -> LinearMap:
    kind = rng.random()
    if kind < 0.2:
        return Selection(rng.integers(-1, in_size, size=out_size), in_size)
    if out_size == in_size and kind < 0.4:
        return Identity(in_size) if rng.random() < 0.5 else Scaling(rng.normal(size=in_size))
    if out_size <= in_size and kind < 0.6:
        kernel = rng.normal(size=(1, 1, in_size - out_size + 1)) / np.sqrt(in_size)
        return Convolution(kernel, (1, 1, in_size), Window((1,), (0,), (0,), (1,)))
    return dense(rng, out_size, in_size)


def random_box(rng: np.random.Generator, size: int, radius: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends, shape (size,), float64, representable in float32; some entries may be fixed."""
    center = rng.normal(size=size)
    width = radius * rng.random(size) * (rng.random(size) < 0.9)
    return (center - width).astype(np.float32).astype(float), (center + width).astype(np.float32).astype(float)


def plain_bounds(network: Network, lower: np.ndarray, upper: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Interval bounds of every node, widened by 1e-12: for tests that need sound bounds and no tight ones."""
    bounds = [(lower, upper)]
    for node in network.nodes[1:]:
        parts = [bounds[i] for i in node.operands]
        if isinstance(node, Affine):
            middle, radius = np.array(node.bias, float), np.zeros(node.size)
            for (low, high), linear_map in zip(parts, node.maps, strict=True):
                middle = middle + linear_map.apply((low + high) / 2)
                radius = radius + linear_map.absolute().apply((high - low) / 2)
            low, high = middle - radius, middle + radius
        elif isinstance(node, Product):
            ends = np.stack([a * b for a in parts[0] for b in parts[1]])
            low, high = ends.min(axis=0), ends.max(axis=0)
        else:
            low, high = node.function.image(*parts[0])
        slack = 0.0 if isinstance(node, Elementwise) else 1e-12 * (1 + np.abs(low) + np.abs(high))
        bounds.append((low - slack, high + slack))
    return bounds


def samples(rng: np.random.Generator, lower: np.ndarray, upper: np.ndarray, count: int) -> np.ndarray:
    """Points of a box, shape (count, size): half anywhere in it, half at corners."""
    weights = rng.random((count, len(lower)))
    weights[::2] = weights[::2] > 0.5
    return np.clip(lower + weights * (upper - lower), lower, upper)
