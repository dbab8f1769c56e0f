# Everything from a machine with only python3 (>= 3.11) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo-workspace
WORKSPACE ?= workspace
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types imports unit bench hpo-run clean

demo: $(VENV)/.installed
	rm -rf "$(DEMO)"
	$(BIN)/atft-tui demo --workspace "$(DEMO)"

test: lint types imports unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

unit: $(VENV)/.installed-dev
	$(BIN)/pytest -q -n 2 --dist loadfile

bench: $(VENV)/.installed-dev
	for file in benchmarks/bench_*.py; do \
	  $(BIN)/python -m "benchmarks.$$(basename "$$file" .py)" || exit 1; done

# A small grid over learning rate and width on the data of WORKSPACE; every cell is a run of the store.
hpo-run: $(VENV)/.installed
	for rate in 5e-4 1e-3 2e-3; do for hidden in 32 64; do \
	  $(BIN)/atft-tui train --workspace "$(WORKSPACE)" --preset cpu-small \
	    --set training.learning_rate=$$rate --set model.hidden=$$hidden || exit 1; \
	done; done
	$(BIN)/atft-tui runs --workspace "$(WORKSPACE)"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment:" \
	  "on Debian or Ubuntu run 'apt-get install python3-venv' first"; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) "$(DEMO)" .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
