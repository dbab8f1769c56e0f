# Everything from a machine with only python3 (>= 3.11) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo-workspace
WORKSPACE ?= workspace
HPO_TRIALS ?= 20
HPO_STUDY ?= default
HPO_PRESET ?= cpu-small
HPO_JOBS ?= 1
HPO_ARGS ?=
BENCH_ARGS ?=
PART ?= 1/1
COMMIT := $(shell git rev-parse HEAD 2>/dev/null || echo none)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-slow lint types imports unit kernels others bench hpo-run clean keys docs faults requirements

demo: $(VENV)/.installed
	rm -rf "$(DEMO)"
	$(BIN)/atft-tui demo --workspace "$(DEMO)"

# Two cores: mypy holds one while the tests of the kernels fill numba's cache on the other.
test: lint imports
	$(MAKE) -j2 types kernels
	$(MAKE) others

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

KERNELS := $(addprefix tests/engine/,features graph dataset evaluation backtest)
FOLDERS := $(patsubst %/,%,$(wildcard tests/*/))
OTHERS := tests/journeys $(filter-out tests/journeys tests/__pycache__,$(FOLDERS))

unit: kernels others

kernels: $(VENV)/.installed-dev
	$(BIN)/pytest -q $(KERNELS)

# The journeys first: files that take long, so that no core waits for one at the end. Besides, a tenth of
# the slow tests, other ones with each commit.
others: $(VENV)/.installed-dev
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not gpu" --slow-tenth "$(COMMIT)" \
	  $(OTHERS) $(addprefix --ignore=,$(KERNELS))

# All slow tests, of which `make test` runs a tenth; PART=1/4 is the first of four parts.
test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -q -n 2 --dist loadfile -m "slow and not gpu" --slow-part "$(PART)" tests

# The tests that docs/faults.md names, the slow ones too: hours. CASES="9 31" runs those of two lines.
faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults $(CASES)

# The page of all keys, from the one table of keys.
keys: $(VENV)/.installed-dev
	$(BIN)/python -m atft_tui.keys > docs/keys.md

# The site of docs/ in site/, its reference made from the program; a broken link stops it.
docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

# What the container installs, with hashes. Made where it runs: Python 3.11 on linux/amd64.
LOCK = $(BIN)/pip install -q --dry-run --ignore-installed --only-binary :all: --report - -c constraints.txt \
  --extra-index-url https://download.pytorch.org/whl/cpu hatchling
requirements: $(VENV)/.installed
	$(LOCK) ".[jquants]" | $(BIN)/python deploy/lock.py requirements.txt
	$(LOCK) ".[jquants,ray]" | $(BIN)/python deploy/lock.py requirements-ray.txt

# All run, whatever one of them misses; BENCH_ARGS=--smoke shows in minutes that they run.
bench: $(VENV)/.installed-dev
	@missed=""; for file in benchmarks/bench_*.py; do \
	  name="$$(basename "$$file" .py)"; echo "== $$name"; \
	  $(BIN)/python -m "benchmarks.$$name" $(BENCH_ARGS) || missed="$$missed $$name"; done; \
	test -z "$$missed" || { echo "failed, or outside a limit:$$missed"; exit 1; }

# A search of settings on the data of WORKSPACE until HPO_TRIALS trials have ended; the same again goes on.
hpo-run: $(VENV)/.installed
	$(BIN)/atft-tui tune --workspace "$(WORKSPACE)" --study "$(HPO_STUDY)" --trials "$(HPO_TRIALS)" \
	  --jobs "$(HPO_JOBS)" $(if $(HPO_PRESET),--preset "$(HPO_PRESET)") $(HPO_ARGS)

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

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) site "$(DEMO)" .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
