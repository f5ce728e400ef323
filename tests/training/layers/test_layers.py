"""Every 1-Lipschitz layer: its certified constant, pairs of points drawn and searched for, gradients, its export."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from verifier.errors import UsageError
from verifier.training.layers.activations import HalfResidual
from verifier.training.layers.base import explicit
from verifier.training.layers.certificate import certified_constant, exported_network
from verifier.training.layers.convolution import ConvolutionSpec
from verifier.training.layers.dense import BjorckDense, CayleyDense
from verifier.training.layers.orthogonal_convolutions import REACH, TERMS, CayleyConvolution, series_error
from verifier.training.layers.registry import ACTIVATIONS, CONVOLUTIONS, DENSE, POOLING

IMAGE = (4, 6)
SHAPES = [(5, 5), (7, 4), (4, 7)]
ORTHOGONAL_DENSE = ("bjorck", "cayley", "exponential")
ORTHOGONAL_CONVOLUTIONS = ("cayley", "skew", "bcop")


def stirred(layer: nn.Module, seed: int, scale: float) -> nn.Module:
    """With random parameters, and what is estimated in training estimated a few times."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return layer


def trained_a_little(layer: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    layer.train()
    for _ in range(20):
        layer(torch.randn(4, *shape))
    return layer.eval()


def cases() -> list[tuple[str, nn.Module, tuple[int, ...], float]]:
    """Name, layer, shape of an input, what its constant is."""
    torch.manual_seed(0)
    found: list[tuple[str, nn.Module, tuple[int, ...], float]] = []
    for name, make in DENSE.items():
        constant = 1 / math.sqrt(2) if name == "unitary-pair" else 1.0
        found += [(f"{name} {a}x{b}", make(a, b), (a,), constant) for a, b in SHAPES]
    for name, make in CONVOLUTIONS.items():
        for padding in ("zeros", "circular", "reflect", "replicate"):
            for before, after in ((3, 3), (2, 4), (4, 2)):
                try:
                    layer = make(ConvolutionSpec(before, after, 3, IMAGE, padding))
                except UsageError:
                    continue
                found.append((f"{name} {padding} {before}x{after}", layer, (before, *IMAGE), 1.0))
    found += [(name, make(), (9,), 1.0) for name, make in ACTIVATIONS.items()]
    found += [(f"{name} on images", make(), (6, *IMAGE), 1.0) for name, make in ACTIVATIONS.items()]
    found += [(name, make(), (3, *IMAGE), 1.0) for name, make in POOLING.items()]
    found.append(("half residual", HalfResidual(nn.Sequential(CayleyDense(6, 6), nn.ReLU())), (6,), 1.0))
    return found


CASES = cases()
NAMES = [name for name, *_ in CASES]


@pytest.mark.parametrize(("name", "layer", "shape", "constant"), CASES, ids=NAMES)
def test_its_certified_constant_is_one_and_no_pair_exceeds_it(
    name: str, layer: nn.Module, shape: tuple[int, ...], constant: float
) -> None:
    for seed, scale in ((1, 0.3), (2, 5.0)):
        layer = trained_a_little(stirred(layer, seed, scale), shape)
        plain = explicit(layer).double()
        certified = certified_constant(layer, shape)
        assert certified <= constant * (1 + 2e-5)
        generator = torch.Generator().manual_seed(seed)
        x, y = (torch.randn(1000, *shape, generator=generator, dtype=torch.float64) for _ in range(2))
        assert quotient(plain, x, y).max() <= certified * (1 + 1e-9)
        x, y = x[:100], x[:100] + 0.1 * y[:100]
        assert searched(plain, x, y) <= certified * (1 + 1e-9)


def quotient(layer: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (layer(x) - layer(y)).flatten(1).norm(dim=1) / (x - y).flatten(1).norm(dim=1)


def searched(layer: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int = 40) -> float:
    """The largest quotient that ascents from pairs meet."""
    best = 0.0
    y = y.clone().requires_grad_()
    for _ in range(steps):
        values = quotient(layer, x, y)
        best = max(best, float(values.detach().max()))
        (gradient,) = torch.autograd.grad(values.sum(), y)
        size = gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, *[1] * (x.ndim - 1))
        y = (y + 0.05 * gradient / size).detach().requires_grad_()
    return best


@pytest.mark.parametrize(("name", "layer", "shape", "constant"), CASES, ids=NAMES)
def test_the_explicit_layer_is_the_same_function(
    name: str, layer: nn.Module, shape: tuple[int, ...], constant: float
) -> None:
    layer = trained_a_little(stirred(layer, 3, 0.5), shape)
    x = torch.randn(20, *shape)
    with torch.no_grad():
        expected = layer(x)
    close = 0.06 if name.startswith("spectral") else 1e-4  # the export divides by a bound, training by an estimate
    assert torch.allclose(explicit(layer)(x), expected, atol=close * float(expected.abs().max()))
    network = exported_network(layer, shape)
    found = network.forward(x.flatten(1).double().numpy())
    assert np.allclose(found, explicit(layer)(x).detach().flatten(1).numpy(), atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(("name", "layer", "shape", "constant"), CASES, ids=NAMES)
def test_gradients_reach_all_weights(name: str, layer: nn.Module, shape: tuple[int, ...], constant: float) -> None:
    layer = stirred(layer, 4, 0.5).train()
    layer.zero_grad()
    x = torch.randn(30, *shape, requires_grad=True)
    (layer(x) * torch.linspace(1, 2, 30).view(-1, *[1] * len(shape))).square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).any()
    for what, parameter in layer.named_parameters():
        assert parameter.grad is not None, what
        assert torch.isfinite(parameter.grad).all(), what
        kept = name.split()[0] in ("exponential", "skew", "cayley", "unitary-pair", "bcop", "half")
        reached = parameter.grad.abs() > 0
        assert reached.any() if kept or what == "log_q" else reached.float().mean() > 0.5, what


@pytest.mark.parametrize("name", ORTHOGONAL_DENSE)
@pytest.mark.parametrize(("before", "after"), [(5, 5), (7, 4)])
def test_orthogonal_dense_layers_keep_the_gradients_norm(name: str, before: int, after: int) -> None:
    layer = trained_a_little(stirred(DENSE[name](before, after), 5, 0.5), (before,))
    assert_keeps(explicit(layer), (before,))


@pytest.mark.parametrize("name", ORTHOGONAL_CONVOLUTIONS)
@pytest.mark.parametrize(("before", "after"), [(3, 3), (4, 2)])
def test_orthogonal_convolutions_keep_the_gradients_norm(name: str, before: int, after: int) -> None:
    layer = stirred(CONVOLUTIONS[name](ConvolutionSpec(before, after, 3, IMAGE, "circular")), 6, 0.5)
    assert_keeps(explicit(layer), (before, *IMAGE))


def assert_keeps(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(50, *shape, requires_grad=True)
    y = layer(x)
    upstream = torch.randn_like(y)
    (gradient,) = torch.autograd.grad(y, x, upstream)
    ratio = gradient.flatten(1).norm(dim=1) / upstream.flatten(1).norm(dim=1)
    assert torch.allclose(ratio, torch.ones(50), atol=0.01)


@pytest.mark.parametrize(("name", "layer", "shape", "constant"), CASES[: len(DENSE) * 3], ids=NAMES[: len(DENSE) * 3])
def test_the_certified_constant_of_a_matrix_is_not_below_its_largest_singular_value(
    name: str, layer: nn.Module, shape: tuple[int, ...], constant: float
) -> None:
    plain = explicit(stirred(layer, 7, 1.0))
    if isinstance(plain, nn.Linear):
        largest = np.linalg.norm(plain.weight.detach().double().numpy(), 2)
        assert largest * (1 - 1e-12) <= certified_constant(layer, shape) <= largest * (1 + 1e-6)


def test_a_step_of_bjorck_is_1_lipschitz_where_no_singular_value_exceeds_two() -> None:
    values = torch.linspace(0, 2, 1001, dtype=torch.float64)
    assert (values * (3 - values**2) / 2).abs().max() <= 1
    beyond = torch.tensor(2.01, dtype=torch.float64)
    assert (beyond * (3 - beyond**2) / 2).abs() > 1
    layer = BjorckDense(6, 6).eval()
    with torch.no_grad():
        layer.direction.copy_(torch.eye(6)[0])  # a poor estimate
        layer.raw.copy_(torch.diag(torch.tensor([1e-3, 1.0, 2.0, 3.0, 4.0, 5.0])))
    assert certified_constant(layer, (6,)) <= 1 + 1e-6


def test_the_series_of_the_exponential_is_cut_off_where_nothing_is_left() -> None:
    exact = math.exp(REACH) - sum(REACH**n / math.factorial(n) for n in range(TERMS))
    assert exact <= series_error(REACH) < 1e-9


@pytest.mark.parametrize(("name", "image"), [("cayley", (14, 14)), ("bcop", (28, 20)), ("skew", (14, 13))])
def test_large_images_padded_around_are_certified_from_their_frequencies(name: str, image: tuple[int, int]) -> None:
    layer = stirred(CONVOLUTIONS[name](ConvolutionSpec(12, 12, 3, image, "circular")), 5, 0.5)
    x = torch.randn(2, 12, *image)
    with torch.no_grad():
        assert torch.allclose(explicit(layer)(x), layer(x), atol=1e-4 * float(x.abs().max()))
    assert 1 - 1e-5 <= certified_constant(layer, (12, *image)) <= 1 + 2e-5


def test_strides_by_blocks_of_pixels_leave_convolutions_certified() -> None:
    """The exporter's selections of pixels, and those of the padding, fall into one."""
    torch.manual_seed(0)
    first, second = (CayleyConvolution(ConvolutionSpec(4 * c, 8, 3, (n, n), "circular")) for c, n in ((1, 14), (8, 7)))
    network = nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)), nn.PixelUnshuffle(2), first, ACTIVATIONS["maxmin"](), nn.PixelUnshuffle(2), second
    )
    assert 1 - 1e-5 <= certified_constant(network, (784,)) <= 1 + 2e-5


def test_what_does_not_hold_is_refused() -> None:
    for name, padding in (("aol", "reflect"), ("bcop", "replicate"), ("cayley", "zeros"), ("sll", "circular")):
        with pytest.raises(UsageError, match="not 1-Lipschitz"):
            CONVOLUTIONS[name](ConvolutionSpec(3, 3, 3, IMAGE, padding))
    with pytest.raises(UsageError, match="kernel"):
        ConvolutionSpec(3, 3, 4, IMAGE)
    with pytest.raises(UsageError, match="written out"):
        explicit(CONVOLUTIONS["skew"](ConvolutionSpec(32, 32, 3, (28, 28))))


@pytest.mark.parametrize("name", ["maxmin", "oplu", "groupsort"])
def test_sorting_activations_only_move_entries(name: str) -> None:
    x = torch.randn(10, 8)
    y = ACTIVATIONS[name]()(x)
    assert torch.allclose(x.sort(dim=1).values, y.sort(dim=1).values, atol=1e-6)
    if name == "groupsort":
        groups = y.view(10, 4, 2)
        assert (groups[:, :-1] >= groups[:, 1:] - 1e-6).all()


def test_a_unitary_pair_classifier_has_gradients_of_length_one() -> None:
    torch.manual_seed(1)
    layers = [CayleyDense(8, 8), ACTIVATIONS["absolute"](), CayleyDense(8, 6), ACTIVATIONS["oplu"]()]
    network = explicit(nn.Sequential(*layers, DENSE["unitary-pair"](6, 3))).double()
    x = torch.randn(40, 8, dtype=torch.float64, requires_grad=True)
    y = network(x)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        (gradient,) = torch.autograd.grad((y[:, i] - y[:, j]).sum(), x, retain_graph=True)
        assert torch.allclose(gradient.norm(dim=1), torch.ones(40, dtype=torch.float64), atol=1e-5)
