"""Every solver found here, by `lp` and where it can by `milp`, on all of `vnnlib_specs` and on small real instances.

    VERIFIER_VNNCOMP=FOLDER python benchmarks/solver_agreement.py [--timeout 10] [--workers 2] [--solvers highs,...]

Prints for each solver and method how many were decided, the verdicts that differ from those of the others, and the
median time. Undecided is no disagreement, but is counted; a verdict against another, or against a known one, is.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from verifier.batch.assignment import Assignment
from verifier.batch.instances import stem
from verifier.batch.isolation import WarmProcesses, join, run_isolated
from verifier.batch.job import Job
from verifier.programs.solvers.registry import installed_solvers

SPECS = Path(__file__).resolve().parents[1] / "vnnlib_specs"
MEMORY = 4000.0
DECIDED = ("sat", "unsat")

REAL = [
    "test/test_nano/test_nano",
    "test/test_tiny/test_tiny",
    "test/test_small/test_small",
    "test/test_sat/test_prop",
    "test/test_unsat/test_prop",
    "rl_benchmarks/cartpole/cartpole_case_unsafe_0",
    "rl_benchmarks/cartpole/cartpole_case_safe_74",
    "rl_benchmarks/lunarlander/lunarlander_case_safe_11",
    "rl_benchmarks/lunarlander/lunarlander_case_safe_23",
    "rl_benchmarks/lunarlander/lunarlander_case_unsafe_72",
    "rl_benchmarks/lunarlander/lunarlander_case_unsafe_85",
    "rl_benchmarks/dubinsrejoin/dubinsrejoin_case_unsafe_22",
    "rl_benchmarks/dubinsrejoin/dubinsrejoin_case_unsafe_46",
    "rl_benchmarks/dubinsrejoin/dubinsrejoin_case_unsafe_83",
    "safenlp/ruarobot_perturbations_0/ruarobot_hyperrectangle_3607",
    "safenlp/ruarobot_perturbations_0/ruarobot_hyperrectangle_3038",
    "safenlp/ruarobot_perturbations_0/ruarobot_hyperrectangle_697",
    "safenlp/ruarobot_perturbations_0/ruarobot_hyperrectangle_3047",
    "safenlp/medical_perturbations_0/medical_hyperrectangle_189",
    "safenlp/medical_perturbations_0/medical_hyperrectangle_861",
    "safenlp/medical_perturbations_0/medical_hyperrectangle_2847",
    "safenlp/medical_perturbations_0/medical_hyperrectangle_479",
    "acasxu_2023/ACASXU_run2a_4_8_batch_2000/prop_3",
    "acasxu_2023/ACASXU_run2a_3_3_batch_2000/prop_4",
    "mnist_fc/mnist-net_256x2/prop_0_0.03",
    "mnist_fc/mnist-net_256x2/prop_10_0.03",
    "collins_rul_cnn_2023/NN_rul_small_window_20/robustness_2perturbations_delta5_epsilon10_w20",
    "verivital/Convnet_avgpool/prop_0_0.02",
    "nn4sys_2023/pensieve_big_parallel/pensieve_parallel_0",
    "eran/mnist_relu_9_200/mnist_spec_idx_8098_eps_0.01500",
]
"""Thirty of VNN-COMP's instances that HiGHS decides within seconds, by `lp`, by `milp` or by both."""


@dataclass(frozen=True)
class Question:
    """An instance; `truth` is empty where it is not known."""

    name: str
    network: Path
    prop: Path
    truth: str


@dataclass(frozen=True)
class Answer:
    """What a solver said of an instance by a method."""

    question: Question
    solver: str
    method: str
    verdict: str
    seconds: float
    detail: str


def questions(folder: Path | None) -> list[Question]:
    """All of `vnnlib_specs`, and those of `REAL` where they are to be had."""
    with (SPECS / "truth.csv").open() as file:
        found = [
            Question(Path(line["property"]).stem, SPECS / line["network"], SPECS / line["property"], line["verdict"])
            for line in csv.DictReader(file)
        ]
    return found if folder is None else found + real_questions(folder)


def real_questions(folder: Path) -> list[Question]:
    """The chosen instances of VNN-COMP."""
    found = []
    for text in (folder / "index.jsonl").read_text().splitlines():
        line = json.loads(text)
        name = f"{line['bench']}/{stem(Path(line['onnx']))}/{stem(Path(line['vnnlib']))}"
        if name in REAL:
            truth = line["truth"] if line["truth"] in DECIDED else ""
            found.append(Question(name, folder / line["onnx"], folder / line["vnnlib"], truth))
    return found


def answered(question: Question, solver: str, method: str, timeout: float) -> Answer:
    """One job in a process of its own."""
    job = Job(question.network, question.prop, method, timeout, threads=1, solver=solver)
    outcome = run_isolated(Assignment(job, MEMORY))
    verdict = outcome.verdict
    return Answer(question, solver, method, verdict.status.value, verdict.seconds, verdict.detail)


def disagreements(answers: list[Answer]) -> list[str]:
    """A line for each instance with two verdicts, or one against the known one."""
    lines = []
    by_question: dict[Question, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_question[answer.question].append(answer)
    for question, given in by_question.items():
        verdicts = {a.verdict for a in given if a.verdict in DECIDED} | ({question.truth} - {""})
        if len(verdicts) > 1:
            who = ", ".join(f"{a.solver} {a.method} {a.verdict}" for a in given if a.verdict in DECIDED)
            lines.append(f"{question.name} (known: {question.truth or 'no'}): {who}")
    return lines


def show(answers: list[Answer], asked: int) -> None:
    """The table, then what is undecided, then what disagrees."""
    print(f"{'solver':<16} {'method':<6} {'unsat':>6} {'sat':>6} {'open':>6} {'error':>6} {'median s':>9}")
    groups: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[answer.method, answer.solver].append(answer)
    for (method, solver), given in sorted(groups.items(), key=lambda item: item[0][0]):
        counts = Counter(a.verdict for a in given)
        left = counts["unknown"] + counts["timeout"]
        median = statistics.median(a.seconds for a in given)
        row = f"{counts['unsat']:>6} {counts['sat']:>6} {left:>6} {counts['error']:>6} {median:>9.2f}"
        print(f"{solver:<16} {method:<6} {row}")
    print(f"\n{asked} instances. Decided by some and not by others:")
    by_question: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        by_question[answer.question.name, answer.method].append(answer)
    for (name, method), given in by_question.items():
        left = [a for a in given if a.verdict not in DECIDED]
        if left and len(left) < len(given):
            print(f"  {name} {method}: " + ", ".join(f"{a.solver} {a.verdict} {a.seconds:.1f} s" for a in left))
    for answer in answers:
        if answer.verdict == "error":
            print(f"  error: {answer.question.name} {answer.solver} {answer.method}: {answer.detail}")
    wrong = disagreements(answers)
    print(f"\nDisagreements: {len(wrong)}", *wrong, sep="\n  ")


def main() -> None:
    """Asks all of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--solvers", help="names with commas; all that are found if not given")
    options = parser.parse_args()
    place = os.environ.get("VERIFIER_VNNCOMP")
    asked = questions(Path(place) if place else None)
    found = [b for b in installed_solvers() if not options.solvers or b.name in options.solvers.split(",")]
    pairs = [(b.name, "lp") for b in found if b.capabilities.multipliers]
    pairs += [(b.name, "milp") for b in found if b.capabilities.milp and not b.name.startswith("highs:")]
    processes = WarmProcesses()
    with ThreadPoolExecutor(options.workers, initializer=join, initargs=(processes,)) as pool:
        jobs = [pool.submit(answered, q, solver, method, options.timeout) for solver, method in pairs for q in asked]
        answers = [job.result() for job in jobs]
    processes.stop()
    show(answers, len(asked))


if __name__ == "__main__":
    main()
