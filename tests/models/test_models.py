"""Models as they are in Python: each is the network that its own library computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import verifier
from verifier.evidence.replay import Replay
from verifier.models import as_network, is_model

torch = pytest.importorskip("torch")
nn = torch.nn
ROOT = Path(__file__).resolve().parents[2]
MOONS, PROPERTY = ROOT / "vnnlib_specs/onnx/moons.onnx", ROOT / "vnnlib_specs/vnnlib/moons_upper.vnnlib"


def _cnn() -> nn.Module:
    torch.manual_seed(0)
    parts = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(48, 3)
    return nn.Sequential(*parts)


class Choosing(nn.Module):
    def forward(self, x):
        return 2 * x if float(x.sum()) > 0 else 3 * x - 1


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class Pair(nn.Module):
    def forward(self, x, y):
        return torch.relu(x @ torch.ones(2, 3)), y - 1


def test_a_file_its_bytes_and_its_proto_are_the_same() -> None:
    for model in (str(MOONS), MOONS, MOONS.read_bytes(), onnx.load(MOONS)):
        assert verifier.verify(model, PROPERTY).proved
        assert not is_model(model)


@pytest.mark.parametrize("shape", [(2, 6, 6), (1, 2, 6, 6)])
def test_a_module_is_exported_with_the_shape_of_the_sample(shape: tuple[int, ...]) -> None:
    module = _cnn()
    module[0].eval()
    sample = torch.rand(shape, requires_grad=True)
    query = verifier.robustness_query(module, sample, epsilon=1e-4)
    network = verifier.from_torch(module, sample.reshape(1, 2, 6, 6))
    assert verifier.verify(network, query).proved
    assert [part.training for part in module] == [False] + 5 * [True]
    with torch.no_grad():
        expected = module.eval()(sample.reshape(1, 2, 6, 6)).numpy()[0]
    assert np.allclose(Replay(network).run(sample.detach().numpy().reshape(-1)), expected, atol=1e-5)


def test_modules_of_other_types_and_several_inputs() -> None:
    network = verifier.from_torch(nn.Sequential(nn.Linear(3, 2)).double(), np.zeros((1, 3)))
    assert network.inputs[0].dtype == "float64"
    network = verifier.from_torch(Pair(), (torch.ones(1, 2), torch.ones(1, 4)))
    assert (network.input_size, network.output_size) == (6, 7)


@pytest.mark.parametrize("module", [Choosing(), Noisy()])
def test_what_does_not_export_to_the_same_is_refused(module: nn.Module) -> None:
    with pytest.raises(verifier.VerifierError, match=r"are off by|RandomUniformLike"):
        verifier.from_torch(module, torch.full((1, 2), 0.1))


def test_what_cannot_be_taken_is_told() -> None:
    query = verifier.robustness_query(_cnn(), torch.rand(2, 6, 6), epsilon=0.1)
    wrong = [
        (lambda: verifier.verify(3, query), "3 .int. is no model"),
        (lambda: verifier.verify(nn.Linear, query), "is no model"),
        (lambda: verifier.verify(_cnn(), query), r"does not take an input of shape \(1, 72\).*from_torch"),
        (lambda: as_network(_cnn()), "shape of a torch module is not known.*from_torch"),
        (lambda: verifier.from_torch(_cnn(), torch.rand(2, 2, 6, 6)), r"give one input: shape \(1"),
        (lambda: verifier.from_torch(3, torch.rand(1, 2)), "no torch.nn.Module"),  # type: ignore[arg-type]
        (lambda: verifier.from_torch(_cnn(), "abc"), "example"),
        (lambda: as_network(b"abc"), "ONNX"),
    ]
    for call, told in wrong:
        with pytest.raises(verifier.VerifierError, match=told):
            call()


def test_a_pipeline_of_scikit_learn_is_taken_where_its_converter_is_installed() -> None:
    network_module = pytest.importorskip("sklearn.neural_network")
    x = np.random.default_rng(0).normal(size=(60, 3))
    model = network_module.MLPClassifier((4,), max_iter=20).fit(x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0))
    try:
        import skl2onnx  # noqa: F401
    except ImportError:
        with pytest.raises(verifier.VerifierError, match="skl2onnx is not installed; pip install skl2onnx"):
            as_network(model)
        return
    assert as_network(model, x[0]).output_size == 3


def test_no_library_is_imported_that_is_not_there_already() -> None:
    code = (
        f"import sys, verifier; verifier.verify({str(MOONS)!r}, {str(PROPERTY)!r})\n"
        "print([m for m in ('torch', 'sklearn', 'keras', 'cvxpy', 'highspy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
