PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
WORKERS ?= 2
BACKENDS ?= jax torch
BACKEND_TESTS := -m "not slow" tests/blocks tests/networks tests/weights/test_load.py \
	tests/training/test_optimizers.py
SHORT_TRAINING := tests/training/test_train_command.py -k "shows_layers or leaves_everything"
BACKEND_TARGETS := $(addprefix test-on-,$(BACKENDS))
# JAX compiles every operation of every shape it meets: thoroughly takes longer than to compute.
test-on-jax: export XLA_FLAGS := --xla_backend_optimization_level=0

.PHONY: demo test lint test-backends test-on-jax test-on-torch bench screenshots format clean

demo: $(VENV)/.ready
	$(BIN)/cnnblocks train lenet5 --data digits --seed 1 --summary

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-backends: $(BACKEND_TARGETS)
	$(BIN)/python -m pytest tests/weights/test_across_backends.py

$(BACKEND_TARGETS): test-on-%: $(VENV)/.ready-%
	KERAS_BACKEND=$* $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(BACKEND_TESTS)
	KERAS_BACKEND=$* $(BIN)/python -m pytest $(SHORT_TRAINING)

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

$(addprefix $(VENV)/.ready-,jax torch): $(VENV)/.ready-%: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	touch $@
