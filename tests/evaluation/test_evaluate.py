"""Robust accuracy against closed forms, resumed runs, several processes, contradictions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.linear import distances, linear_network
from tests.radii.models import relu_network
from verifier.errors import PropertyError, UsageError
from verifier.evaluation import sample
from verifier.evaluation.answers import Answer, SampleAnswers, from_record, to_record
from verifier.evaluation.evaluate import evaluate
from verifier.evaluation.files import record, rows_csv
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.store import Store
from verifier.evaluation.summary import summarised
from verifier.lipschitz.radii import Radius
from verifier.radii import certificates
from verifier.radii.data import LabelledData
from verifier.radii.smoothed import Smoothing
from verifier.smoothing.certify import SmoothingOptions
from verifier.standing import Standing
from verifier.verdict import Status, Verdict

WEIGHT = np.array([[1.0, 0.5, -0.25], [-0.5, 1.0, 0.75], [0.25, -1.0, 0.5]])
SIZES = (0.05, 0.1, 0.2, 0.4, 0.8)


def samples(count: int) -> LabelledData:
    """Random points with the classes of `WEIGHT`, but for every fifth."""
    x = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32).astype(float)
    labels = (x @ WEIGHT.T).argmax(axis=1)
    labels[::5] = (labels[::5] + 1) % 3
    return LabelledData("points", x, labels)


def plain(answers: SampleAnswers) -> dict[str, object]:
    """Without what depends on the clock."""
    found = to_record(answers)
    return {**found, "answers": [{k: v for k, v in a.items() if k != "seconds"} for a in found["answers"]]}


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_a_linear_classifier_is_known_exactly(tmp_path: Path, norm: float) -> None:
    data, network = samples(25), linear_network(tmp_path, WEIGHT)
    options = AccuracyOptions(SIZES, norm, ["fmn", "fast-bisection", "cross-lipschitz", "crown", "auto"])
    found = evaluate(network, data, range(25), options)
    assert found.summary.clean.count == 20
    assert not found.crossings
    right = data.labels == (data.x @ WEIGHT.T).argmax(axis=1)
    exact = distances(WEIGHT, data.x, norm)
    for size in found.summary.sizes:
        expected = int((right & (exact > size.epsilon)).sum())
        assert size.by_any.count == expected
        assert size.certified["crown"].count == size.certified["auto"].count == expected
        assert size.certified["cross-lipschitz"].count == expected  # the constants of pairs are exact here
        assert size.unbroken.count == expected
        assert size.between.count == 0


def test_smoothing_is_told_apart(tmp_path: Path) -> None:
    data, network = samples(15), linear_network(tmp_path, WEIGHT)
    noise = Smoothing(0.5, SmoothingOptions(50, 2000, 0.01))
    options = AccuracyOptions(SIZES, 2.0, ["smoothing", "smoothing-two-sided", "fmn"], smoothing=noise)
    found = evaluate(network, data, range(15), options)
    exact = distances(WEIGHT, data.x, 2.0)
    for size in found.summary.sizes:
        assert size.by_any.count == 0  # nothing is claimed about the network itself
        for name in ("smoothing", "smoothing-two-sided"):
            assert size.certified[name].count <= int((exact > 0.9 * size.epsilon).sum())
    assert found.summary.sizes[0].certified["smoothing"].count > 5
    assert set(found.summary.abstained) == {"smoothing", "smoothing-two-sided"}
    assert "do not" in found.claim
    misclassified = [a for a in found.answers if not a.clean]
    assert misclassified
    assert all({b.method for b in a.answers} == {"smoothing", "smoothing-two-sided"} for a in misclassified)


def test_joint_claims_cost_radius(tmp_path: Path) -> None:
    data, network = samples(10), linear_network(tmp_path, WEIGHT)
    noise = Smoothing(0.5, SmoothingOptions(50, 1000, 0.05))
    each, joint = (
        evaluate(network, data, range(10), AccuracyOptions(SIZES, 2.0, ["smoothing"], smoothing=noise, joint=joint))
        for joint in (False, True)
    )
    pairs = list(zip(each.answers, joint.answers, strict=True))
    assert all(a.answers[0].certified >= b.answers[0].certified for a, b in pairs)
    assert any(a.answers[0].certified > b.answers[0].certified for a, b in pairs)
    assert joint.asked["alpha"] == pytest.approx(0.005)
    assert "all 10 statements" in joint.claim


def test_processes_and_order_make_no_difference(tmp_path: Path) -> None:
    network = relu_network(tmp_path, 3)
    x = np.random.default_rng(1).normal(size=(6, 2))
    data = LabelledData("points", x, network.forward(x.astype(np.float32).astype(float)).argmax(axis=1))
    noise = Smoothing(0.3, SmoothingOptions(20, 500, 0.01))
    options = AccuracyOptions(SIZES, 2.0, ["fmn", "crown", "smoothing", "auto"], smoothing=noise)
    one, two = (
        evaluate(network, data, order, options, workers)
        for order, workers in (([0, 1, 2, 3, 4, 5], 1), ([5, 3, 1, 0, 2, 4], 2))
    )
    assert [plain(a) for a in one.answers] == [plain(a) for a in two.answers]


def test_a_run_is_taken_up_where_it_was_left(tmp_path: Path) -> None:
    data, network = samples(8), linear_network(tmp_path, WEIGHT)
    options, path = AccuracyOptions(SIZES, 2.0, ["fmn", "crown"]), tmp_path / "samples.jsonl"

    class Stop(Exception):
        pass

    seen: list[int] = []

    def stop_after_three(answers: SampleAnswers) -> None:
        seen.append(answers.sample)
        if len(seen) == 3:
            raise Stop

    with pytest.raises(Stop):
        evaluate(network, data, range(8), options, 1, lambda asked: Store(path, asked, False), stop_after_three)
    path.write_bytes(path.read_bytes() + b'{"sample": 7, "lab')  # a line that a kill left unfinished
    asked: list[int] = []
    resumed = evaluate(
        network, data, range(8), options, 1, lambda a: Store(path, a, True), lambda a: asked.append(a.sample)
    )
    assert sorted(asked) == list(range(8))
    whole = evaluate(network, data, range(8), options)
    assert [plain(a) for a in resumed.answers] == [plain(a) for a in whole.answers]
    lines = path.read_text().splitlines()
    assert len(lines) == 9
    assert all(json.loads(line) for line in lines)
    with pytest.raises(UsageError, match="holds answers already"):
        evaluate(network, data, range(8), options, 1, lambda a: Store(path, a, False))
    other = AccuracyOptions(SIZES[:2], 2.0, ["fmn", "crown"])
    with pytest.raises(UsageError, match="another question"):
        evaluate(network, data, range(8), other, 1, lambda a: Store(path, a, True))
    path.write_text("no json\n")
    with pytest.raises(UsageError, match="no file of answers"):
        evaluate(network, data, range(8), options, 1, lambda a: Store(path, a, True))


def test_a_lying_certificate_is_a_crossing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lies = dict(certificates.CERTIFICATES)
    lies["cross-lipschitz"] = lambda question, deadline: Radius(99.0, 2.0, "a lie", Standing.CERTIFIED)
    monkeypatch.setattr(certificates, "CERTIFICATES", lies)
    options = AccuracyOptions(SIZES, 2.0, ["fmn", "cross-lipschitz"])
    found = evaluate(linear_network(tmp_path, WEIGHT), samples(5), range(5), options)
    assert len(found.crossings) == 4
    proof, broken = found.crossings[0].crossings[0]
    assert (proof.method, broken.method) == ("cross-lipschitz", "fmn")


def test_an_incomplete_method_is_asked_about_few_sizes(tmp_path: Path) -> None:
    sizes = tuple(0.01 * k for k in range(1, 65))
    options = AccuracyOptions(sizes, math.inf, ["crown"])
    found = evaluate(linear_network(tmp_path, WEIGHT), samples(10), range(10), options)
    exact = distances(WEIGHT, samples(10).x, math.inf)
    for answers in found.answers:
        for answer in answers.answers:
            assert int(answer.detail.split()[0]) <= 7
            assert answer.certified == max((s for s in sizes if s < exact[answers.sample]), default=0.0)


def test_what_others_know_spares_questions(tmp_path: Path) -> None:
    """The largest size that a certificate proves comes first; with the attack's there is none between them to ask."""
    sizes = tuple(0.01 * k for k in range(1, 65))
    options = AccuracyOptions(sizes, 2.0, ["fast-bisection", "cross-lipschitz", "crown"])
    found = evaluate(linear_network(tmp_path, WEIGHT), samples(10), range(10), options)
    exact, asked = distances(WEIGHT, samples(10).x, 2.0), []
    for answers in found.answers:
        for answer in answers.answers:
            if answer.method == "crown" and exact[answers.sample] < sizes[-1]:
                assert answer.certified == max((s for s in sizes if s < exact[answers.sample]), default=0.0)
                asked.append(int(answer.detail.split()[0]))
    assert len(asked) >= 4
    assert max(asked) <= 2  # that one, and one beyond the attack's


def test_rows_can_be_read_alone(tmp_path: Path) -> None:
    options = AccuracyOptions((0.1, 0.5), 2.0, ["fmn", "crown"], seed=3)
    found = evaluate(linear_network(tmp_path, WEIGHT), samples(6), range(6), options)
    header, *rows = [line.split(",") for line in rows_csv(found.answers, found.asked, options).splitlines()]
    assert len(rows) == 2 * found.summary.clean.count + (6 - found.summary.clean.count)
    assert all(len(row) == len(header) for row in rows)
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert {row["seed"] for row in table} == {"3"}
    assert {row["at 0.1"] for row in table} <= {"certified", "broken", "open", "misclassified"}
    assert json.loads(json.dumps(record(found.summary, found.asked, found.claim), allow_nan=False))["samples"] == 6


def test_answers_survive_a_file() -> None:
    answers = SampleAnswers(
        3, 1, 1, (Answer("a", Standing.CERTIFIED, math.inf), Answer("b", Standing.ATTACK, 0.0, 0.25, point=(0.1,)))
    )
    assert from_record(json.loads(json.dumps(to_record(answers), allow_nan=False))) == answers


def test_shares_have_intervals() -> None:
    answers = [
        SampleAnswers(k, 0, 0, (Answer("crown", Standing.CERTIFIED, 1.0 if k < 30 else 0.0),)) for k in range(100)
    ]
    share = summarised(answers, AccuracyOptions([0.5], 2.0, ["crown"])).sizes[0].by_any
    assert share.value == 0.3
    low, high = share.interval
    assert low == pytest.approx(0.2124, abs=1e-3)  # R: binom.test(30, 100)
    assert high == pytest.approx(0.3998, abs=1e-3)


def test_what_cannot_be_asked_is_told(tmp_path: Path) -> None:
    network, data = linear_network(tmp_path, WEIGHT), samples(3)
    for options, told in (
        ({"epsilons": []}, "epsilon"),
        ({"epsilons": [-1.0]}, "epsilon"),
        ({"epsilons": [0.1], "methods": ["clever"]}, "no method 'clever'"),
        ({"epsilons": [0.1], "methods": ["smoothing"]}, "does not work in the inf-norm"),
        ({"epsilons": [0.1], "methods": []}, "no method is given"),
    ):
        with pytest.raises(UsageError, match=told):
            AccuracyOptions(**options)
    with pytest.raises(PropertyError, match="no labels"):
        evaluate(network, LabelledData("x", data.x, None), range(3), AccuracyOptions([0.1]))
    with pytest.raises(PropertyError, match="outside"):
        evaluate(network, data, range(3), AccuracyOptions([0.1], clip=(0.0, 0.1)))


@pytest.mark.parametrize("method", ["crown", "auto"])
def test_a_method_that_proves_too_much_is_a_crossing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(sample, "decide", lambda *_: Verdict(Status.UNSAT, "a lie", 1.0))
    options = AccuracyOptions(SIZES, 2.0, ["fmn", method])
    found = evaluate(linear_network(tmp_path, WEIGHT), samples(5), range(5), options)
    assert len(found.crossings) == found.summary.clean.count == 4
