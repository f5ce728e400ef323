"""Whole models as torch exports them, against ONNX Runtime."""

import warnings

import numpy as np
import onnx
import pytest

from tests.readers.onnx_models import assert_agrees, load
from verifier.network.graph import Affine
from verifier.network.linear_maps import Convolution

torch = pytest.importorskip("torch")
nn = torch.nn


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        h = torch.relu(self.first(x))
        h = x + torch.tanh(self.second(h))
        return torch.log_softmax(self.last(nn.functional.gelu(h)), dim=-1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out, self.norm = nn.Linear(4, 12), nn.Linear(4, 4), nn.LayerNorm(4)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) / (d // 2) ** 0.5, dim=-1)
        return x + self.out((weights @ v).transpose(1, 2).reshape(n, t, d))


def _cnn():
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, stride=2, groups=2),
        nn.LeakyReLU(0.2),
        nn.AvgPool2d(2, padding=1),
        nn.Flatten(),
        nn.Linear(16, 5),
        nn.BatchNorm1d(5),
        nn.Hardtanh(-0.5, 0.8),
    )
    for norm in (model[1], model[9]):
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    return model


def _exported(model, shape, folder, opset):
    path = folder / "torch.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training = torch.onnx.TrainingMode.EVAL
        torch.onnx.export(
            model.eval(), (torch.zeros(shape),), str(path), dynamo=False, opset_version=opset, training=training,
            do_constant_folding=False,
        )  # fmt: skip
    return onnx.load(path)


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize(
    ("build", "shape"), [(_cnn, (1, 2, 10, 10)), (Residual, (1, 6)), (Attention, (1, 3, 4))], ids=["cnn", "mlp", "vit"]
)
def test_model(tmp_path, build, shape, opset):
    torch.manual_seed(0)
    assert_agrees(_exported(build(), shape, tmp_path, opset), tmp_path, tolerance=1e-5)


def test_batch_normalization_is_folded_into_the_layer_before(tmp_path):
    torch.manual_seed(0)
    network = load(_exported(_cnn(), (1, 2, 10, 10), tmp_path, 13), tmp_path)
    first = network.nodes[1]
    assert isinstance(first, Affine)
    assert isinstance(first.maps[0], Convolution)
    assert np.abs(first.bias).max() > 0  # the normalisation's, as the convolution has none
