"""Makes the networks and properties of this folder: trains small relu networks, exports them, writes VNN-LIB files.

    python vnnlib_specs/make.py

needs the development extras (torch, scikit-learn). The files it writes are kept in the repository; run it again only to
change the set. `instances.csv` lists network, property and timeout in seconds, as VNN-COMP does; `truth.csv` has each
one's verdict and the weakest method that reaches it, as stated below. The tests check every line of it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits, make_moons

HERE = Path(__file__).parent
RADII = {
    "digits_dense": {"robust": 0.01, "linear": 0.06, "close": 0.1, "wide": 0.25},
    "digits_conv": {"robust": 0.01, "linear": 0.06, "close": 0.08, "wide": 0.25},
}
"""Sup-norm radii around a digit, on pixels scaled to [0, 1]."""

TRUTH = {
    "robust": ("unsat", "interval"),
    "linear": ("unsat", "crown"),
    "close": ("unsat", "milp"),
    "wide": ("sat", "attack"),
    "upper": ("unsat", "lp"),
    "both": ("unsat", "lp"),
    "everywhere": ("sat", "attack"),
    "bounded": ("unsat", "milp"),
}
"""For each kind of property its verdict and the weakest method that reaches it."""


def train(model: torch.nn.Module, x: np.ndarray, labels: np.ndarray, epochs: int) -> None:
    """Plain cross-entropy training by Adam on the whole set."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(labels)
    for _ in range(epochs):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
    accuracy = (model(inputs).argmax(1) == targets).float().mean()
    print(f"trained: accuracy {accuracy:.3f}")


def export(model: torch.nn.Module, shape: tuple[int, ...], name: str) -> None:
    """Writes the network as ONNX with a fixed batch of 1."""
    path = HERE / "onnx" / f"{name}.onnx"
    path.parent.mkdir(exist_ok=True)
    torch.onnx.export(model, torch.zeros(1, *shape), str(path), dynamo=False, input_names=["X"], output_names=["Y"])


def declarations(inputs: int, outputs: int) -> list[str]:
    return [f"(declare-const X_{i} Real)" for i in range(inputs)] + [
        f"(declare-const Y_{j} Real)" for j in range(outputs)
    ]


def box(lower: list[float], upper: list[float]) -> list[str]:
    pairs = enumerate(zip(lower, upper, strict=True))
    return [f"(assert (>= X_{i} {low!r}))\n(assert (<= X_{i} {high!r}))" for i, (low, high) in pairs]


def write(name: str, comment: str, lines: list[str]) -> str:
    path = HERE / "vnnlib" / f"{name}.vnnlib"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"; {comment}\n" + "\n".join(lines) + "\n")
    return f"vnnlib/{path.name}"


def robustness(name: str, sample: np.ndarray, label: int, classes: int, epsilon: float) -> str:
    """The violation: some other class scores at least as high within epsilon (sup norm, inside the data's range)."""
    lower, upper = np.clip(sample - epsilon, 0, 1), np.clip(sample + epsilon, 0, 1)
    others = [f"    (and (>= Y_{j} Y_{label}))" for j in range(classes) if j != label]
    lines = declarations(len(sample), classes) + box(lower.tolist(), upper.tolist()) + ["(assert (or", *others, "))"]
    return write(name, f"class {label} is kept within {epsilon} of a sample (sup norm)", lines)


def digits_instances() -> list[tuple[str, str]]:
    """A dense and a convolutional network on the 8x8 digits, each with several radii around one sample."""
    data = load_digits()
    x, labels = data.data / 16.0, data.target
    dense = torch.nn.Sequential(
        torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )
    conv = torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 8, 8)),
        torch.nn.Conv2d(1, 4, 3, stride=2, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(4, 8, 3, stride=2, padding=1), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(32, 10),
    )  # fmt: skip
    instances = []
    for name, model in (("digits_dense", dense), ("digits_conv", conv)):
        train(model, x, labels, epochs=300)
        export(model, (64,), name)
        scores = model(torch.tensor(x, dtype=torch.float32)).detach().numpy()
        right = np.flatnonzero(scores.argmax(1) == labels)
        for kind, epsilon in RADII[name].items():
            sample = int(right[7])
            prop = robustness(f"{name}_{kind}", x[sample], int(labels[sample]), 10, epsilon)
            instances.append((f"onnx/{name}.onnx", prop))
    return instances


def region(low: tuple[float, float], high: tuple[float, float], rows: str) -> str:
    """One disjunct: a rectangle and rows on the outputs."""
    bounds = " ".join(f"(>= X_{i} {a}) (<= X_{i} {b})" for i, (a, b) in enumerate(zip(low, high, strict=True)))
    return f"    (and {bounds} {rows})"


def moons_instances() -> list[tuple[str, str]]:
    """A classifier of two interleaved half moons, with safety properties: where which class must win."""
    x, labels = make_moons(600, noise=0.08, random_state=0)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)
    )
    train(model, x, labels, epochs=400)
    export(model, (2,), "moons")
    window = box([-2.0, -1.5], [3.0, 2.0])
    upper = region((-0.2, 0.75), (0.2, 1.2), "(<= Y_0 Y_1)")
    lower = region((0.8, -0.8), (1.2, -0.35), "(<= Y_1 Y_0)")
    properties = {
        "upper": ("the top of the upper moon is class 0", ["(assert (or", upper, "))"]),
        "both": ("neither moon's middle is taken for the other", ["(assert (or", upper, lower, "))"]),
        "everywhere": ("class 0 wins in the whole window: it does not", [*window, "(assert (<= Y_0 Y_1))"]),
        "bounded": ("no score exceeds 34 in the window", [*window, "(assert (or (>= Y_0 34.0) (>= Y_1 34.0)))"]),
    }
    return [
        ("onnx/moons.onnx", write(f"moons_{name}", comment, declarations(2, 2) + lines))
        for name, (comment, lines) in properties.items()
    ]


def write_sample() -> None:
    """A digit of class 3, 8 rows of 8 pixels, to ask around."""
    path = HERE / "samples" / "three.csv"
    path.parent.mkdir(exist_ok=True)
    np.savetxt(path, load_digits().images[3] / 16, fmt="%.4f", delimiter=",")


def main() -> None:
    torch.manual_seed(0)
    instances = digits_instances() + moons_instances()
    with (HERE / "instances.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((network, prop, 60) for network, prop in instances)
    write_sample()
    with (HERE / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("network", "property", "verdict", "weakest_method"))
        for network, prop in instances:
            writer.writerow((network, prop, *TRUTH[Path(prop).stem.rpartition("_")[2]]))


if __name__ == "__main__":
    main()
