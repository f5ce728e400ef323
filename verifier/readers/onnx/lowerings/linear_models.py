"""LinearClassifier and LinearRegressor of the domain ai.onnx.ml: a matrix, and perhaps a function of the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.network.linear_maps import Dense
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.softmax import softmax_along
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.standard import CLASSICAL
from verifier.readers.onnx.tensors import Tensor, Variable

EXPORT_SCORES = "export it with raw scores"


@lowers("LinearClassifier", 1, domain=CLASSICAL)
def linear_classifier(call: Call) -> tuple[Tensor | None, ...]:
    """The scores; the labels, which come first, are not supported."""
    intercepts = np.asarray(call.attribute("intercepts", []), np.float64)
    if not intercepts.size:
        raise call.error("no intercepts, without which ONNX Runtime computes no scores", "give as many as classes")
    labels = call.attribute("classlabels_strings") or call.attribute("classlabels_ints", [])
    scores = _scores(call, len(intercepts), intercepts)
    transform = call.attribute("post_transform")
    if len(intercepts) > 1:
        return None, _transformed(call, scores, transform)
    if len(labels) != 2:
        raise call.error(f"one row of coefficients for {len(labels)} labels", "give two labels, or a row for each")
    return None, _of_two_classes(call, scores, transform)


@lowers("LinearRegressor", 1, domain=CLASSICAL)
def linear_regressor(call: Call) -> Tensor:
    targets = call.attribute("targets")
    intercepts = np.asarray(call.attribute("intercepts", np.zeros(max(targets, 0))), np.float64)
    if targets < 1 or len(intercepts) != targets:
        raise call.error(f"{len(intercepts)} intercepts for {targets} targets")
    transform = call.attribute("post_transform")
    if targets == 1 and transform != "NONE":
        raise call.error(f"post_transform {transform} of one target, which ONNX Runtime leaves out", EXPORT_SCORES)
    return _transformed(call, _scores(call, targets, intercepts), transform)


def _scores(call: Call, count: int, intercepts: np.ndarray) -> Variable:
    """The affine part, of shape (rows, count)."""
    x = call.variable(0)
    if x.ndim not in (1, 2):
        raise call.error(f"an operand of shape {x.shape}, which is no row of features nor rows of them")
    rows, features = (1, x.shape[0]) if x.ndim == 1 else x.shape
    coefficients = np.asarray(call.attribute("coefficients", []), np.float64)
    if coefficients.size != count * features:
        raise call.error(f"{coefficients.size} coefficients for {count} rows of {features} features")
    return call.graph.affine([(x, Dense(coefficients.reshape(count, features), rows))], (rows, count), intercepts)


def _transformed(call: Call, scores: Variable, transform: str) -> Variable:
    """What the transform makes of several scores a row."""
    if transform == "NONE":
        return scores
    if transform == "LOGISTIC":
        return _logistic(call, scores)
    if transform == "SOFTMAX":
        return replace(softmax_along(call, scores, 1, 2), positive=True, shares=True)
    raise _not_supported(call, transform)


def _of_two_classes(call: Call, score: Variable, transform: str) -> Variable:
    """What the runtime makes of one score a row, where there are two labels: one minus it, and it."""
    if transform not in ("NONE", "LOGISTIC"):
        raise _not_supported(call, f"{transform} of one score")
    second = _logistic(call, score) if transform == "LOGISTIC" else score
    spread, sides = np.array([[-1.0], [1.0]]), np.array([1.0, 0.0])
    rows = score.shape[0]
    return call.graph.affine([(second, Dense(spread, rows, exact=True))], (rows, 2), sides)


def _logistic(call: Call, scores: Variable) -> Variable:
    from verifier.network.functions import Sigmoid

    return replace(call.graph.elementwise(scores, Sigmoid()), positive=True)


def _not_supported(call: Call, transform: str) -> Exception:
    return call.error(f"post_transform {transform} is not supported", EXPORT_SCORES)
