"""Proofs of real instances are accepted: in doubles, and of small networks in rational numbers too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vnncomp import instances
from verifier import Options, load_network, load_property
from verifier.checker.main import check
from verifier.deadline import Deadline
from verifier.methods import Task, method_named, run
from verifier.proofs.write import proof_of

HOLD = [
    ("ACASXU_run2a_5_9_batch_2000", "prop_1"),
    ("ACASXU_run2a_4_5_batch_2000", "prop_10"),
    ("ACASXU_run2a_2_8_batch_2000", "prop_1"),
    ("ACASXU_run2a_4_6_batch_2000", "prop_4"),
    ("ACASXU_run2a_2_8_batch_2000", "prop_3"),
    ("ACASXU_run2a_4_2_batch_2000", "prop_1"),
    ("NN_rul_full_window_40", "robustness_8perturbations_delta5_epsilon10_w40"),
    ("NN_rul_full_window_20", "robustness_8perturbations_delta5_epsilon10_w20"),
    ("mnist_concat", "index2334_delta0.13"),
    ("mnist_relu_9_200", "mnist_spec_idx_5108_eps_0.01500"),
    ("mnist_relu_9_200", "mnist_spec_idx_8098_eps_0.01500"),
    ("14_ieee_ml4acopf", "14_ieee_prop9"),
    ("mnist-net_256x2", "prop_10_0.05"),
    ("mnist-net_256x4", "prop_11_0.03"),
    ("pensieve_mid_simple", "pensieve_simple_10"),
    ("pensieve_mid_simple", "pensieve_simple_22"),
    ("dubinsrejoin", "dubinsrejoin_case_unsafe_63"),
    ("dubinsrejoin", "dubinsrejoin_case_unsafe_33"),
    ("dubinsrejoin", "dubinsrejoin_case_unsafe_9"),
    ("lunarlander", "lunarlander_case_unsafe_82"),
    ("ruarobot_perturbations_0", "ruarobot_hyperrectangle_4742"),
    ("ruarobot_perturbations_0", "ruarobot_hyperrectangle_5093"),
    ("ruarobot_perturbations_0", "ruarobot_hyperrectangle_3369"),
    ("Convnet_avgpool", "prop_17_0.04"),
    ("Convnet_avgpool", "prop_15_0.02"),
    ("tllBench_n=2_N=M=8_m=1_instance_0_2", "property_N=8_2"),
]
"""Network and property: cuts of inputs and of neurons, facts, smooth functions, products, quotients, convolutions."""
BOTH_WAYS = [
    ("cartpole", "cartpole_case_safe_48"),
    ("cartpole", "cartpole_case_unsafe_17"),
    ("medical_perturbations_0", "medical_hyperrectangle_858"),
    ("medical_perturbations_0", "medical_hyperrectangle_667"),
]
"""Those that rational numbers check in a second."""


def files(network: str, prop: str) -> tuple[Path, Path]:
    """An instance's files, whatever they are zipped with."""
    for one in instances():
        if (one.network.name.split(".onnx")[0], one.prop.name.split(".vnnlib")[0]) == (network, prop):
            return one.network, one.prop
    raise LookupError(f"{network}, {prop}")


@pytest.mark.parametrize(("network", "prop"), HOLD + BOTH_WAYS)
def test_real_instances_have_proofs(network: str, prop: str, tmp_path: Path) -> None:
    asked = files(network, prop)
    read = load_network(asked[0])
    task = Task(read, load_property(asked[1], read), Options(timeout=60))
    assert run(task, method_named("auto")).proved
    (tmp_path / "proof.npz").write_bytes(proof_of(*asked, Deadline(60), task.trails))
    for exact in (False, True)[: 1 + ((network, prop) in BOTH_WAYS)]:
        assert check(*asked, tmp_path / "proof.npz", exact) == ("accepted", "")
