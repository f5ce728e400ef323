"""Networks of the size that people deploy, made here, and a table of what is decided of them: `python -m benchmarks.large`."""
