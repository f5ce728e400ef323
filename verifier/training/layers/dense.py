"""Dense layers of constant 1: by spectral normalisation, and with orthogonal weights by three parametrisations.

- `SpectralDense` (Miyato et al., ICLR 2018, arXiv 1802.05957): the weights over their largest singular value, estimated
  from below by the power method in training, bounded from above in the export.
- `BjorckDense` (Björck & Bowie 1971; Anil, Lucas, Grosse, ICML 2019, arXiv 1811.05381): steps W <- W (3 I - W'W) / 2. A
  step takes a singular value s to s (3 - s^2) / 2, which lies in [-1, 1] for all s in [0, 2]: one step is 1-Lipschitz
  where the largest is at most 2, converged or not. More of them take all to 1, which preserves gradients.
- `CayleyDense` (Helfrich, Willmott, Ye, ICML 2018; rectangular as in Trockman & Kolter, ICLR 2021, arXiv 2104.07167,
  appendix A): (I + A)^-1 (I - A) for a skew A.
- `ExponentialDense` (Lezcano-Casado & Martínez-Rubio, ICML 2019, arXiv 1901.08428): exp of a skew matrix, cropped.
"""

from __future__ import annotations

import torch
from torch import nn

from verifier.lipschitz.norms import operator_norm
from verifier.network.linear_maps import Dense
from verifier.training.layers.base import DenseLayer

BJORCK_STEPS = 30
"""A value of 1e-5 needs 28 to arrive at 1; with 15 some of a random matrix of 32 rows are left at 0.8."""

BJORCK_REACH = 2.0


def certified_norm(weight: torch.Tensor) -> float:
    """At least the largest singular value of a matrix."""
    return operator_norm(Dense(weight.detach().double().numpy()), 2.0)


class _PowerMethod(DenseLayer):
    """With an estimate of the largest singular value, from below, by one step at each training pass."""

    direction: torch.Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after)
        self.register_buffer("direction", nn.functional.normalize(torch.ones(before), dim=0))

    def estimate(self, raw: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            v = self.direction.to(raw.dtype)
            for _ in range(1 if self.training else 30):
                v = nn.functional.normalize(raw.T @ (raw @ v), dim=0)
            if self.training:
                self.direction.copy_(v)
        return (raw @ v).norm()


class SpectralDense(_PowerMethod):
    """Spectral normalisation."""

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `DenseLayer.effective`."""
        return raw / self.estimate(raw)

    def certified(self, weight: torch.Tensor) -> torch.Tensor:
        """Divided by the certified norm."""
        return weight / certified_norm(weight)


class BjorckDense(_PowerMethod):
    """Orthogonalisation by iteration; the start is scaled by the power method's estimate."""

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `DenseLayer.effective`."""
        weight = raw / self.estimate(raw)
        if not self.training:  # the estimate may be too low: the condition is made sure of
            weight = weight * min(1.0, BJORCK_REACH / certified_norm(weight))
        wide = weight.shape[0] < weight.shape[1]
        weight = weight.T if wide else weight
        eye = torch.eye(weight.shape[1], dtype=weight.dtype)
        for _ in range(BJORCK_STEPS):
            weight = weight @ (1.5 * eye - 0.5 * weight.T @ weight)
        return weight.T if wide else weight


class CayleyDense(DenseLayer):
    """Orthogonal by the Cayley transform."""

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `DenseLayer.effective`."""
        return cayley(raw.T).T if raw.shape[0] < raw.shape[1] else cayley(raw)


def cayley(raw: torch.Tensor) -> torch.Tensor:
    """A matrix with orthonormal columns from any matrix, real or complex, of shape (..., m, n) with m >= n.

    With U the first n rows, V the others and A = U - U* + V*V, it is [(I + A)^-1 (I - A); -2 V (I + A)^-1]. Its columns
    are orthonormal: (I - A)*(I - A) + 4 V*V = (I + A)*(I + A), as A + A* = 2 V*V.
    """
    n = raw.shape[-1]
    upper, lower = raw[..., :n, :], raw[..., n:, :]
    skew = upper - upper.mH + lower.mH @ lower
    eye = torch.eye(n, dtype=raw.dtype)
    inverse = torch.linalg.inv(eye + skew)
    return torch.cat([inverse @ (eye - skew), -2 * lower @ inverse], dim=-2)


class ExponentialDense(DenseLayer):
    """Orthogonal by the exponential; of the larger of the two sizes, from which rows or columns are taken."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after)
        size = max(before, after)
        self.raw = nn.Parameter(torch.randn(size, size) / size**0.5)
        self.sizes = (after, before)

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `DenseLayer.effective`."""
        return torch.linalg.matrix_exp(raw - raw.T)[: self.sizes[0], : self.sizes[1]]


class UnitaryPairDense(CayleyDense):
    """A last layer of which each difference of two outputs has a gradient of length 1, where orthonormal rows fit.

    Brau, Rossolini, Biondi, Buttazzo: Robust-by-design classification via unitary-gradient neural networks, AAAI 2023
    (arXiv 2209.04293): with orthogonal layers and absolute values or OPLU before it, of no growing width, a margin is
    the distance to the boundary as far as its gradient does not turn.
    """

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `DenseLayer.effective`."""
        return super().effective(raw) / 2.0**0.5
