"""Models as they are in Python, as networks: files, serialised models, modules of torch, scikit-learn and Keras."""

from verifier.models.take import as_network, is_model

__all__ = ["as_network", "is_model"]
