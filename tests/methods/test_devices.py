"""Every engine path works on torch's arrays, and its inner loops bring none of them to the host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from verifier import Options, Status, load_network, load_property
from verifier.bounds.backward import BackwardPass
from verifier.bounds.linear import linear_bounds
from verifier.bounds.optimise import Ascent, AscentOptions
from verifier.methods import METHODS, Task, method_named, run
from verifier.methods.library import torch_kernels
from verifier.methods.optimised import question_of
from verifier.search.bounding import Bounder
from verifier.search.neurons import roots

SPECS = Path(__file__).parents[2] / "vnnlib_specs"
HOLDS = "digits_conv_close"
SLOW = {"sdp", "attack"}
"""Methods that work on the host alone, or to the end of their time."""


def asked(device: str, prop: str = HOLDS, seconds: float = 60.0) -> Task:
    network = load_network(SPECS / "onnx" / "digits_conv.onnx")
    query = load_property(SPECS / "vnnlib" / f"{prop}.vnnlib", network)
    return Task(network, query, Options(timeout=seconds, device=device, threads=1))


class Copies:
    """Counts how often a tensor comes to the host."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Copies:
    counted = Copies()
    for name in ("cpu", "numpy", "__array__", "tolist"):
        own = getattr(torch.Tensor, name)

        def counting(tensor: torch.Tensor, *args: object, own: object = own, **named: object) -> object:
            counted.count += tensor.numel() > 1
            return own(tensor, *args, **named)  # type: ignore[operator]

        monkeypatch.setattr(torch.Tensor, name, counting)
    return counted


@pytest.mark.parametrize("method", sorted(set(METHODS) - SLOW))
def test_every_method_says_the_same_on_torch(method: str) -> None:
    prop = "digits_conv_robust" if method in ("interval", "crown", "dual", "alpha", "lp") else HOLDS
    here, there = (run(asked(device, prop), method_named(method)) for device in ("cpu", "torch:cpu"))
    assert here.status is there.status
    assert here.status is not Status.ERROR


def bounder(device: str, steps: int) -> tuple[Bounder, np.ndarray]:
    task = asked(device)
    (box, disjuncts), *_ = task.open_conjunctions()
    return Bounder(question_of(task, box), AscentOptions(steps=steps), 3, np.inf), np.array(disjuncts)


def test_steps_of_an_ascent_bring_nothing_to_the_host(copies: Copies) -> None:
    counts = []
    for steps in (2, 6):
        work, disjuncts = bounder("torch:cpu", steps)
        domains = roots(work, disjuncts)
        relaxation = work.relaxation(domains)
        ascent = Ascent(work.lagrangian(domains, relaxation), work.choice(domains), work.options)
        before = copies.count
        ascent.run(np.inf)
        counts.append(copies.count - before)
    assert counts[0] == counts[1]


def test_a_backward_pass_brings_nothing_to_the_host(copies: Copies) -> None:
    task = asked("torch:cpu")
    (box, _), *_ = task.open_conjunctions()
    intervals = task.enclosures.of(box)
    backward = BackwardPass(task.forms, intervals)
    rows = torch.eye(task.forms.output_size, dtype=torch.float64)[None]
    before = copies.count
    backward.minimum(len(intervals) - 1, rows)
    assert copies.count == before


def test_torchs_kernels_change_no_bound() -> None:
    task = asked("cpu")
    (box, _), *_ = task.open_conjunctions()
    ends = box.lower[None], box.upper[None]
    plain = linear_bounds(task.forms, *ends)
    hastened = linear_bounds(task.forms.with_torch(), *ends)
    for one, other in zip(plain, hastened, strict=True):
        np.testing.assert_allclose(one.lower, other.lower, rtol=1e-9, atol=1e-9)


def test_torch_is_chosen_where_it_is_loaded_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.methods import library

    task = asked("cpu")
    torch_kernels(task)
    assert not task.convolves_by_torch  # a small network
    monkeypatch.setattr(library, "MULTIPLICATIONS", 1.0)
    torch_kernels(task)
    assert task.convolves_by_torch
    assert "torch convolves" in task.explanation[0]
    assert run(replace(task), method_named("auto")).status is Status.UNSAT
