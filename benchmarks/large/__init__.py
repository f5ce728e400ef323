"""Networks of the size that people deploy, made here, and what is decided of them: `python -m benchmarks.large`."""
