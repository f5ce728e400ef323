"""Images of inputs, perturbations and adversarial inputs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.radii.models import relu_network
from verifier.errors import UsageError
from verifier.network.graph import Affine, Input, Network, Port
from verifier.network.linear_maps import Selection
from verifier.pictures.images import ImageRow, image_shape, images_picture
from verifier.radii.bracket import Bracket
from verifier.radii.measure import RadiusOptions, measure
from verifier.radii.question import RadiusQuestion


def network_of(shape: tuple[int, ...]) -> Network:
    size = int(np.prod(shape))
    return Network((Input(size), Affine((0,), (Selection(np.arange(2), size),), np.zeros(2))), (Port("x", shape),))


def test_shapes_are_told_by_the_port_by_a_square_or_by_the_user() -> None:
    assert image_shape(network_of((1, 3, 4, 5))) == (3, 4, 5)
    assert image_shape(network_of((1, 1, 2, 3))) == (1, 2, 3)
    assert image_shape(network_of((1, 64))) == (1, 8, 8)
    assert image_shape(network_of((1, 12)), "3x4") == (1, 3, 4)
    assert image_shape(network_of((1, 12)), "3x2x2") == (3, 2, 2)
    for network, given in ((network_of((1, 12)), ""), (network_of((1, 12)), "5x5"), (network_of((1, 4)), "axb")):
        with pytest.raises(UsageError, match="no image"):
            image_shape(network, given)


def test_they_are_drawn_with_and_without_a_witness(tmp_path: Path) -> None:
    question = RadiusQuestion(relu_network(tmp_path, 2, (4, 6, 3)), np.full(4, 0.5), None, math.inf, (0.0, 1.0))
    found = measure(question, RadiusOptions(methods=["fmn"], timeout=5.0))
    none = Bracket(math.inf, question.kept, question.kept, [], 1e-3)
    rows = [ImageRow(0, question, found), ImageRow(1, question, none)]
    assert images_picture(rows, (1, 2, 2), "t", ".png").startswith(b"\x89PNG")
    words = images_picture(rows, (1, 2, 2), "t", ".svg").decode()
    assert words.startswith("<?xml")
