"""The rules that turn ONNX operators into affine maps, functions and products; importing this registers them all."""

from verifier.readers.onnx.lowerings import (  # noqa: F401
    activations,
    arithmetic,
    comparisons,
    computed,
    constants,
    convolution,
    extrema,
    features,
    indexing,
    integers,
    labels,
    linear_models,
    matrices,
    normalisation,
    pooling,
    powers,
    reductions,
    resizing,
    shapes,
    softmax,
)
