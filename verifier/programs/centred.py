"""A relu network as affine forms in the fewest variables, each of them in [-1, 1], with the rounding of every form.

The variables t are the inputs that vary, x_i = middle_i + radius_i t_i, and the unstable relus, whose operand's bounds
lie on both sides of zero, y_j = upper_j (1 + t_j) / 2. Active relus and affine nodes are substituted, inactive relus
are zero, so everything else is an affine form in t. With all variables in [-1, 1], the error of a computed form,
and of any polynomial in t, is at most the sum of the absolute errors of its coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.network.functions.relu import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.programs.cone import Cone, dependency_cone
from verifier.programs.encode import Bounds, bounds_in_box, require_finite
from verifier.property.query import Box
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma


class NoQuadraticForm(Exception):
    """The network has a function that affine forms and relus cannot express, or more variables than allowed."""


@dataclass(frozen=True, eq=False)
class Forms:
    """R affine forms c_0 + c . t over t in [-1, 1]^n.

    Attributes:
        rows: the coefficients (c_0, c), float64, shape (R, 1 + n).
        error: how far the network's real value may lie from the form at any t, float64, shape (R,), not negative.
    """

    rows: np.ndarray
    error: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Forms:
        return Forms(self.rows[chosen], self.error[chosen])

    @property
    def size(self) -> np.ndarray:
        """A bound on the sum of the absolute coefficients, shape (R,)."""
        return np.abs(self.rows).sum(axis=1) * (1 + gamma(self.rows.shape[1]))


@dataclass(frozen=True, eq=False)
class CentredNetwork:
    """A network over a box in centred variables.

    For the unstable relu of variable v with operand z in [lower, upper], its negative part is q = relu(-z) / unit,
    where unit is a power of two that is at least upper and -lower; reach = -lower / unit. In real arithmetic

        0 <= q <= reach (1 - t_v) / 2,    q (1 + t_v) = 0,    q^2 <= reach q.

    The first two are relu's definition and the triangle's chord; the last is the product of the first two.

    Attributes:
        variables: n.
        negative: the forms q of the m unstable relus.
        relu: their variables, integers in 1 .. n (0 is the constant's place), shape (m,).
        reach: float64, shape (m,), in (0, 1].
        outputs: forms of the network's outputs, shape (K,).
    """

    variables: int
    negative: Forms
    relu: np.ndarray
    reach: np.ndarray
    outputs: Forms

    def of_relus(self, chosen: np.ndarray) -> CentredNetwork:
        """With the constraints of these relus only, integers, shape (any,)."""
        return replace(self, negative=self.negative[chosen], relu=self.relu[chosen], reach=self.reach[chosen])


def centred(network: Network, box: Box, bounds: Bounds, most_variables: int) -> CentredNetwork:
    """Writes a relu network over a box in centred variables.

    Args:
        network: with NumPy weights, of affine nodes and relus as far as the outputs depend on them.
        box: of inputs.
        bounds: sound on `box`, one pair per node, shape (size,).
        most_variables: the size allowed.

    Raises:
        NoQuadraticForm: with the reason, for people.
        UnboundedRelaxation: where a needed entry has no finite bounds.
    """
    pairs = bounds_in_box(network, box, bounds)
    cone = dependency_cone(network, pairs)
    require_finite(network, pairs, cone)
    count = _variables(network, pairs, cone)
    if count > most_variables:
        raise NoQuadraticForm(f"too large: {count} inputs and unstable relus, more than {most_variables}")
    writer = _Writer(pairs, cone, count)
    for k, node in enumerate(network.nodes):
        writer.add(k, node)
    return writer.finish()


def _unstable(lower: np.ndarray, upper: np.ndarray, live: np.ndarray) -> np.ndarray:
    return np.flatnonzero(live & (lower < 0) & (upper > 0))


def _variables(network: Network, bounds: Bounds, cone: Cone) -> int:
    count = int(cone.live[0].sum())
    for k, node in enumerate(network.nodes):
        if isinstance(node, Elementwise) and isinstance(node.function, Relu):
            count += len(_unstable(*bounds[node.operands[0]], cone.live[k]))
        elif not isinstance(node, Input | Affine) and cone.live[k].any():
            name = type(node.function).__name__ if isinstance(node, Elementwise) else "Product"
            raise NoQuadraticForm(f"not for this network: node {k} is a {name.lower()}, neither affine nor a relu")
    return count


class _Writer:
    """Adds node after node; `forms[k]` are the forms of node k, all zero where they are not needed."""

    def __init__(self, bounds: Bounds, cone: Cone, count: int) -> None:
        self.bounds, self.cone, self.count = bounds, cone, count
        self.used = 0
        self.forms: list[Forms] = []
        self.relus: list[tuple[Forms, np.ndarray, np.ndarray]] = []

    def add(self, k: int, node: object) -> None:
        lower, upper = self.bounds[k]
        forms = Forms(np.zeros((len(lower), 1 + self.count)), np.zeros(len(lower)))
        fixed = lower == upper
        forms.rows[fixed, 0] = lower[fixed]
        self.forms.append(forms)
        live = np.flatnonzero(self.cone.live[k])
        if isinstance(node, Input):
            self._input(k, live)
        elif isinstance(node, Affine):
            self._affine(k, node, live)
        elif isinstance(node, Elementwise):
            self._relu(k, node.operands[0], self.cone.live[k])

    def _new(self, count: int) -> np.ndarray:
        first, self.used = self.used + 1, self.used + count
        return np.arange(first, first + count)

    def _input(self, k: int, live: np.ndarray) -> None:
        lower, upper = (end[live] for end in self.bounds[k])
        middle = lower / 2 + upper / 2
        self.forms[k].rows[live, 0] = middle
        self.forms[k].rows[live, self._new(len(live))] = np.nextafter(
            np.maximum(upper - middle, middle - lower), np.inf
        )

    def _affine(self, k: int, node: Affine, live: np.ndarray) -> None:
        rows = np.zeros((len(live), 1 + self.count))
        rows[:, 0] = np.asarray(node.bias, np.float64)[live]
        size, carried = np.asarray(node.bias_magnitude, np.float64), np.zeros(node.size)
        for i, linear_map, matrix in zip(node.operands, node.maps, self.cone.rows[k], strict=True):
            rows += matrix @ self.forms[i].rows
            size = size + linear_map.magnitude.apply(self.forms[i].size[None, :])[0]
            carried = carried + linear_map.magnitude.apply(self.forms[i].error[None, :])[0]
        rounding = gamma(sum(m.terms for m in node.maps) + len(node.maps) + 2)
        self.forms[k].rows[live] = rows
        self.forms[k].error[live] = ((rounding * size + carried) * (1 + 2 * rounding) + UNDERFLOW)[live]

    def _relu(self, k: int, operand: int, live: np.ndarray) -> None:
        lower, upper = self.bounds[operand]
        before, after = self.forms[operand], self.forms[k]
        active = np.flatnonzero(live & (lower >= 0))
        after.rows[active], after.error[active] = before.rows[active], before.error[active]
        unstable = _unstable(lower, upper, live)
        variable = self._new(len(unstable))
        after.rows[unstable, 0] = after.rows[unstable, variable] = upper[unstable] / 2
        after.error[unstable] = UNDERFLOW  # of the half of a tiny number
        unit = np.ldexp(1.0, np.frexp(np.maximum(upper, -lower)[unstable])[1])
        negative = (after.rows[unstable] - before.rows[unstable]) / unit[:, None]
        error = (before.error[unstable] + UNDERFLOW) / unit + 2 * UNIT_ROUNDOFF * np.abs(negative).sum(axis=1)
        forms = Forms(negative, error * (1 + gamma(self.count)) + UNDERFLOW)
        self.relus.append((forms, variable, -lower[unstable] / unit))

    def finish(self) -> CentredNetwork:
        width = 1 + self.count
        negative = Forms(
            np.concatenate([np.zeros((0, width)), *(forms.rows for forms, _, _ in self.relus)]),
            np.concatenate([np.zeros(0), *(forms.error for forms, _, _ in self.relus)]),
        )
        relu = np.concatenate([np.zeros(0, np.int64), *(variable for _, variable, _ in self.relus)])
        reach = np.concatenate([np.zeros(0), *(reach for _, _, reach in self.relus)])
        return CentredNetwork(self.count, negative, relu, reach, self.forms[-1])
