"""Fuzzers: the verifier beside exact truth, beside ONNX Runtime, and before damaged files.

Each runs alone from the repository's root, e.g. ``python -m benchmarks.fuzz.networks --seconds 60``, prints what it
has asked and everything that went wrong, and keeps the files of the latter. A case is drawn from ``seed/number``
alone: ``--only 17`` with the same seed repeats case 17.
"""
