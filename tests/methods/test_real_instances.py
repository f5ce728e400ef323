"""Real VNN-COMP instances: small ones are decided, and no verdict contradicts the known one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import verifier
from tests.vnncomp import Instance, instances, root
from verifier import Options, Status
from verifier.methods.task import Task
from verifier.network.graph import Product


def decided(instance: Instance, method: str = "auto", timeout: float = 30.0) -> verifier.Verdict:
    network = verifier.load_network(instance.network)
    query = verifier.load_property(instance.prop, network)
    verdict = verifier.verify(network, query, method, Options(timeout=timeout))
    if verdict.status is Status.SAT:
        assert verdict.witness is not None
        assert query.violated(verdict.witness.x, verdict.witness.y)
    if verdict.status in (Status.SAT, Status.UNSAT) and instance.truth != "unknown":
        assert verdict.status == instance.truth
    return verdict


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("test_nano", Status.UNSAT),
        ("test_tiny", Status.UNSAT),
        ("test_small", Status.UNSAT),
        ("test_sat", Status.SAT),
        ("test_unsat", Status.UNSAT),
    ],
)
def test_the_competitions_own_test_instances(network: str, expected: Status) -> None:
    (instance,) = (i for i in instances("test") if i.network.stem == network)
    assert decided(instance).status is expected


@pytest.mark.parametrize("bench", ["safenlp", "rl_benchmarks"])
def test_small_networks_are_decided(bench: str) -> None:
    known = [i for i in instances(bench) if i.truth != "unknown"]
    verdicts = [decided(i, timeout=20.0) for i in known[:: len(known) // 4]]
    assert sum(v.status in (Status.SAT, Status.UNSAT) for v in verdicts) >= len(verdicts) // 2


@pytest.mark.parametrize("method", ["interval", "crown", "lp", "milp", "attack"])
@pytest.mark.parametrize("bench", ["acasxu_2023", "ml4acopf_2024", "lsnc", "nn4sys_2023", "tllverifybench_2023"])
def test_no_method_contradicts_the_truth(bench: str, method: str) -> None:
    decided(instances(bench)[0], method, timeout=2.0)


def test_weighted_sums_of_quotients_are_decided_by_linear_bounds() -> None:
    """Bounded quotient by quotient, many of them take branch and bound, and some more than a minute of it."""
    pensieve = [i for i in instances("nn4sys_2023") if i.network.stem == "pensieve_big_parallel"]
    for instance in pensieve[:: len(pensieve) // 3]:
        assert decided(instance, "crown").status is Status.UNSAT


def test_the_forms_of_a_rewritten_network_are_its_outputs() -> None:
    instance = next(i for i in instances("nn4sys_2023") if i.network.stem == "pensieve_big_parallel")
    network = verifier.load_network(instance.network)
    query = verifier.load_property(instance.prop, network)
    forms, box = Task(network, query).forms, query.disjuncts[0].box
    assert sum(n.size for n in forms.nodes if isinstance(n, Product)) == 2
    x = np.random.default_rng(0).uniform(box.lower, box.upper, size=(50, network.input_size))
    np.testing.assert_allclose(forms.forward(x), network.forward(x) @ query.patterns.outputs.T, rtol=1e-9, atol=1e-9)


def test_a_network_that_is_a_pointer_to_a_file_elsewhere_is_an_error() -> None:
    path = root() / "nn4sys_2023" / "mscn_2048d_dual.onnx"
    if not path.exists():
        pytest.skip("the pointer is not among the instances")
    with pytest.raises(verifier.VerifierError, match="git-LFS"):
        verifier.load_network(path)


@pytest.mark.slow
@pytest.mark.parametrize("bench", ["cifar_biasfield", "cgan_2023"])
def test_deep_networks_with_few_inputs_are_decided(bench: str) -> None:
    for instance in instances(bench):
        assert decided(instance, timeout=100.0).status == instance.truth


@pytest.mark.slow
def test_every_family_reads_and_stays_true() -> None:
    for bench in dict.fromkeys(i.bench for i in instances()):
        for instance in instances(bench)[::17]:
            if Path(instance.network).stat().st_size > 1000:  # not a git-LFS pointer
                decided(instance, timeout=10.0)
