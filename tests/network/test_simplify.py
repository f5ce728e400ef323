"""The passes keep the outputs, and fuse what is to be fused and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier import tolerances
from verifier.network.functions.relu import Relu
from verifier.network.fusion import Monomial, add_maps, compose, roundings
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import (
    Adjoint,
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Scaling,
    Selection,
)
from verifier.network.linear_maps.convolution import Window
from verifier.network.simplify import (
    PASSES,
    drop_dead,
    drop_identities,
    fold_constants,
    fuse_affine,
    merge_operands,
    simplify,
)

WINDOW = Window((1,), (1,), (1,), (1,))


def _affine(operands, maps, bias=None):
    return Affine(tuple(operands), tuple(maps), np.zeros(maps[0].out_size) if bias is None else np.asarray(bias, float))


def _random_map(rng: np.random.Generator, in_size: int) -> LinearMap:
    kind = rng.integers(7)
    out = int(rng.integers(1, 7))
    if kind == 0:
        return Identity(in_size)
    if kind == 1:
        return Scaling(rng.normal(size=in_size))
    if kind == 2:
        return Selection(rng.integers(-1, in_size, out), in_size)
    if kind == 3:
        return Selection(rng.permutation(in_size), in_size)
    if kind == 4:
        return Composition(Scaling(rng.normal(size=out)), Selection(rng.integers(-1, in_size, out), in_size))
    if kind == 5 and in_size % 2 == 0:
        convolution = Convolution(rng.normal(size=(2, 2, 3)), (1, 2, in_size // 2), WINDOW)
        return convolution if rng.integers(2) else Adjoint(convolution)
    if kind == 6 and in_size % 2 == 0:
        before, after = ((2, 1), (1, 2))[rng.integers(2)]
        return Dense(rng.normal(size=(out, in_size // 2)), before, after)
    return Dense(rng.normal(size=(out, in_size)))


def _random_network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    nodes: list[Node] = [Input(int(rng.integers(1, 7)))]
    for _ in range(rng.integers(1, 12)):
        operand = int(rng.integers(max(0, len(nodes) - 3), len(nodes)))
        size, kind = nodes[operand].size, rng.integers(10)
        if kind == 0:
            nodes.append(Elementwise((operand,), Relu(), size))
        elif kind == 1:
            other = int(rng.choice([k for k, n in enumerate(nodes) if n.size == size]))
            nodes.append(Product((operand, other), size))
        elif kind == 2:
            nodes.append(Affine((), (), rng.normal(size=size)))
        else:
            first = _random_map(rng, size)
            parts = [(operand, first)]
            for k in rng.choice(len(nodes), rng.integers(0, 3)):
                more = _random_map(rng, nodes[k].size)
                parts += [(int(k), more)] if more.out_size == first.out_size else []
            bias = rng.normal(size=first.out_size) * rng.integers(2)
            nodes.append(_affine([k for k, _ in parts], [m for _, m in parts], bias))
    return Network(tuple(nodes))


@pytest.mark.parametrize("one", [*PASSES[:-1], simplify], ids=lambda p: p.__name__)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_outputs_are_kept(one, seed):
    network = _random_network(seed)
    smaller = one(network)
    x = np.random.default_rng(seed + 1).normal(size=(4, network.input_size))
    wanted = network.forward(x)
    np.testing.assert_allclose(smaller.forward(x), wanted, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(wanted).max()))
    assert len(smaller.nodes) <= len(network.nodes)
    assert (smaller.inputs, smaller.outputs) == (network.inputs, network.outputs)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=300, deadline=None)
def test_compositions_are_products_rounded_once(seed):
    rng = np.random.default_rng(seed)
    inner = _random_map(rng, int(rng.integers(1, 7)))
    outer = _random_map(rng, inner.out_size)
    result = compose(outer, inner)
    if result is None:
        return
    composed, rounded = result
    assert rounded <= tolerances.WEIGHT_ROUNDINGS
    wanted = outer.to_sparse().toarray() @ inner.to_sparse().toarray()
    bound = abs(outer.to_sparse()).toarray() @ abs(inner.to_sparse()).toarray()
    error = np.abs(composed.to_sparse().toarray() - wanted)
    assert (error <= 2 * tolerances.UNIT_ROUNDOFF * np.minimum(np.abs(wanted), bound)).all()


def test_matrix_sum_and_batch_normalisation_become_one_node():
    rng = np.random.default_rng(0)
    nodes = (
        Input(3),
        _affine([0], [Dense(rng.normal(size=(4, 3)))]),
        _affine([1], [Identity(4)], rng.normal(size=4)),
        _affine([2], [Scaling(rng.normal(size=4))], rng.normal(size=4)),
        Elementwise((3,), Relu(), 4),
    )
    assert [type(n) for n in simplify(Network(nodes)).nodes] == [Input, Affine, Elementwise]


def test_convolution_takes_in_the_scaling_of_its_channels():
    convolution = Convolution(np.ones((2, 1, 3)), (1, 1, 4), WINDOW)
    by_channel = Scaling(np.repeat([2.0, 3.0], 4))
    composed, _ = compose(by_channel, convolution)
    assert isinstance(composed, Convolution)
    assert compose(Scaling(np.arange(8.0)), convolution) is None


def test_two_matrices_stay_two_nodes():
    nodes = (Input(3), _affine([0], [Dense(np.ones((4, 3)))]), _affine([1], [Dense(np.ones((2, 4)))]))
    assert len(simplify(Network(nodes)).nodes) == 3


def test_repeated_entries_are_not_summed_into_a_matrix():
    repeat = Selection(np.array([0, 0, 1]), 2)
    assert compose(Dense(np.ones((1, 3))), repeat) is None


def test_a_matrix_with_two_consumers_is_not_copied():
    dense = Dense(np.ones((2, 3)))
    nodes = (
        Input(3),
        _affine([0], [dense]),
        _affine([1], [Scaling(np.array([2.0, 3.0]))]),
        _affine([1], [Scaling(np.array([4.0, 5.0]))]),
        Product((2, 3), 2),
    )
    assert len(simplify(Network(nodes)).nodes) == 5


def test_chains_stop_before_a_weight_is_rounded_too_often():
    factors = np.full(2, 0.1)
    nodes: list[Node] = [Input(2)]
    for k in range(12):
        nodes.append(_affine([k], [Scaling(factors)]))
    left = fuse_affine(Network(tuple(nodes)))
    inexact = roundings(Scaling(factors))
    per_node = (tolerances.WEIGHT_ROUNDINGS + 1) // (inexact + 1)  # k scalings carry k * inexact + (k - 1) roundings
    assert len(left.nodes) - 1 == -(-12 // per_node)


def test_exact_duplicates_are_merged_and_inexact_ones_are_not():
    assert isinstance(add_maps(Identity(2), Scaling(np.array([0.5, -1.0]))), Scaling)
    assert add_maps(Identity(2), Scaling(np.array([0.1, 0.2]))) is None
    nodes = (Input(2), _affine([0, 0], [Identity(2), Identity(2)]))
    merged = merge_operands(Network(nodes)).nodes[1]
    np.testing.assert_array_equal(merged.maps[0].factors, [2.0, 2.0])


def test_identity_of_the_input_stays_where_it_is_the_output():
    network = Network((Input(2), _affine([0], [Identity(2)])))
    assert len(drop_identities(network).nodes) == 2
    assert len(simplify(network).nodes) == 2


def test_constants_are_folded_into_scaling_and_bias():
    nodes = (
        Input(2),
        Affine((), (), np.array([-1.0, 3.0])),
        Elementwise((1,), Relu(), 2),
        Product((0, 2), 2),
        _affine([3, 1], [Identity(2), Identity(2)]),
    )
    folded = fold_constants(Network(nodes))
    assert all(not isinstance(n, Elementwise | Product) for n in folded.nodes)
    np.testing.assert_array_equal(folded.forward(np.ones((1, 2))), [[-1.0, 6.0]])


def test_constant_output():
    network = Network((Input(2), Affine((), (), np.array([1.0]))))
    np.testing.assert_array_equal(simplify(network).forward(np.ones((3, 2))), np.ones((3, 1)))


def test_dead_nodes_go():
    nodes = (Input(2), Elementwise((0,), Relu(), 2), Elementwise((0,), Relu(), 2))
    assert len(drop_dead(Network(nodes)).nodes) == 2


def test_monomial_of_other_maps_is_none():
    assert Monomial.of(Dense(np.ones((1, 1)))) is None
    assert Monomial.of(Composition(Scaling(np.ones(1)), Dense(np.ones((1, 1))))) is None
