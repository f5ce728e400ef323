"""What one forward pass certifies in the 2-norm: margins over global Lipschitz constants, on all test samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from verifier.deadline import NEVER
from verifier.lipschitz.constants import LipschitzConstants
from verifier.network.graph import Network
from verifier.radii.certificates import CERTIFICATES
from verifier.radii.data import LabelledData
from verifier.radii.question import RadiusQuestion

CONSTANTS = ("lipschitz", "cross-lipschitz")
"""Of all outputs, by the product of norms; of each pair of classes."""


@dataclass(frozen=True)
class OnePass:
    """Of one network.

    Attributes:
        constant: of its outputs, from above.
        medians: by method the median of the certified radii; that of a sample in another class is 0.
    """

    constant: float
    medians: Mapping[str, float]


def one_pass(network: Network, data: LabelledData) -> OnePass:
    """The certificates of all samples.

    Args:
        network: a classifier.
        data: with labels.
    """
    assert data.labels is not None
    questions = [RadiusQuestion(network, x, int(y), 2.0) for x, y in zip(data.x, data.labels, strict=True)]
    with np.errstate(all="ignore"):  # infinities and NaN are handled where they arise
        medians = {
            name: float(np.median([CERTIFICATES[name](q, NEVER).radius for q in questions])) for name in CONSTANTS
        }
        return OnePass(LipschitzConstants(network, 2.0).of_outputs(), medians)
