"""Networks with a counterexample hidden on purpose: `python -m benchmarks.planted`."""
