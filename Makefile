PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
WORKERS ?= 2
BACKEND_TESTS := tests/blocks tests/networks

.PHONY: demo test lint test-backends bench screenshots format clean

demo: $(VENV)/.ready
	$(BIN)/cnnblocks train lenet5 --data digits --seed 1 --summary

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-backends: $(VENV)/.ready-backends
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(BACKEND_TESTS)
	KERAS_BACKEND=torch $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(BACKEND_TESTS)

bench: $(VENV)/.ready-dev
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/train.py --short
	$(BIN)/python benchmarks/weights.py --tensors 50
	$(BIN)/python benchmarks/data.py --short

screenshots: $(VENV)/.ready-dev
	$(BIN)/python scripts/screenshots.py

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "cnnblocks needs Python 3.11 to 3.13, this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/.ready-backends: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[jax,torch]'
	touch $@
