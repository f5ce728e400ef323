# Everything runs in a virtual environment of its own, .venv, which the first command makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow lint format clean

demo: $(READY)
	@echo "A property that holds:"
	$(BIN)/verifier verify vnnlib_specs/onnx/digits_dense.onnx vnnlib_specs/vnnlib/digits_dense_robust.vnnlib
	@echo
	@echo "A property that fails (exit status 1), with its counterexample:"
	$(BIN)/verifier verify vnnlib_specs/onnx/moons.onnx vnnlib_specs/vnnlib/moons_everywhere.vnnlib || test $$? -eq 1

# Two files at a time: most tests use one core, and those of one file share what they prepare.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
