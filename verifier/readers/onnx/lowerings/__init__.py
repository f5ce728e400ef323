"""The rules that turn ONNX operators into affine maps, functions and products; importing this registers them all."""

from verifier.readers.onnx.lowerings import (  # noqa: F401
    activations,
    arithmetic,
    constants,
    convolution,
    elementary,
    extrema,
    features,
    indexing,
    linear_models,
    matrices,
    normalisation,
    pooling,
    powers,
    recurrent,
    reductions,
    resizing,
    shapes,
    softmax,
)
