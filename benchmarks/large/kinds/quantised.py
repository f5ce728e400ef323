"""A small convolutional network in 8-bit integers, by ONNX Runtime's own quantiser, in its two forms.

`qdq` has QuantizeLinear and DequantizeLinear around float operators, `qoperator` has QLinearConv and
QLinearMatMul. Weights are int8 for each channel, activations uint8. Boxes are sized by what breaks the float
network, witnesses are replayed in the quantised one.
"""

from __future__ import annotations

import logging
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.large.classifiers import broken
from benchmarks.large.data import coloured_digits
from benchmarks.large.modules import Reshape
from benchmarks.large.queries import Folder, Query, around, lead, others, violated
from benchmarks.large.training import attack, begin, export, fit, outputs, session


def network() -> nn.Sequential:
    """Two convolutions that halve the picture, two dense layers (as rows of a matrix, so that they become MatMul)."""
    convolutions = (nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2))
    dense = (nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 10), nn.Flatten())
    return nn.Sequential(*convolutions, Reshape(1, 512), *dense)


def quantise(source: Path, target: Path, operators: bool, pictures: np.ndarray) -> None:
    """Writes the integer form of a float model, its ranges taken from some pictures, shape (N, 3, 32, 32)."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict[str, np.ndarray] | None:
            picture = next(self.left, None)
            return None if picture is None else {"x": picture[None]}

    logging.getLogger().setLevel(logging.ERROR)  # it advises to preprocess, which only folds what is not there
    quantize_static(
        source,
        target,
        Samples(),
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        op_types_to_quantize=["Conv", "MatMul", "MaxPool"],
        quant_format=QuantFormat.QOperator if operators else QuantFormat.QDQ,
    )


def make(folder: Folder) -> None:
    begin(5)
    module = fit(network(), *coloured_digits(3000, 10), epochs=8)
    pictures, classes = coloured_digits(60, 11)
    right = (module(pictures).argmax(1) == classes).nonzero()[:, 0].tolist()
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        export(module, pictures[:1], plain)
        for operators in (False, True):
            path = folder.model("qoperator" if operators else "qdq")
            quantise(plain, path, operators, pictures[20:].numpy())
            _ask(folder, path, module, pictures[right[0] : right[0] + 1], int(classes[right[0]]))


def _ask(folder: Folder, path: Path, module: nn.Module, picture: torch.Tensor, label: int) -> None:
    """Parts of what breaks the float network; `broken` is twice that, and sat where the integers see it too."""
    size, _ = broken(module, partial(around, picture), label, 0.1)
    box = around(picture, 2 * size)
    point, _ = attack(module, *box, lead(label))
    seen = violated(others(label, 10), outputs(session(path), point.numpy()))
    folder.add(path, Query("point", picture, picture, others(label, 10), "unsat"))
    folder.add(path, Query("tenth", *around(picture, 0.1 * size), others(label, 10)))
    folder.add(path, Query("third", *around(picture, size / 3), others(label, 10)))
    known = ("sat", point) if seen else ("unknown", None)
    folder.add(path, Query("broken", *box, others(label, 10), *known))
