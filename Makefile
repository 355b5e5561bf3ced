# Everything a newcomer needs: `make demo` to see a reading, `make test` to see it hold. `make help` lists the rest.
# Needs GNU make and Python 3.11 or later; all else goes into .venv.

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST_ARGS ?= -n 2 -rs

# One thread in each of the test processes: two processes with many threads each are slower than one.
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test check packs example tables sheets bench torture clean
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

demo: $(VENV)/.base ## read the bundled example and say where the report lies
	$(BIN)/spinalis read examples/lumbar -o out/demo

test: $(VENV)/.dev ## run every test; PYTEST_ARGS="-n 0 tests/unit/test_geometry.py" runs some
	$(BIN)/pytest $(PYTEST_ARGS)

check: $(VENV)/.dev ## format, lint, types, import contracts, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit/test_docs.py

packs: $(VENV)/.dev ## train and export the shipped model packs (two cores: up to 90 minutes)
	$(BIN)/python -m spinalis.train.packs
	$(BIN)/spinalis train header --out runs/header
	$(BIN)/spinalis export runs/header -o src/spinalis/packs/header

example: $(VENV)/.dev ## simulate the bundled example anew
	rm -rf examples/lumbar build/example
	$(BIN)/spinalis simulate -o build/example --studies 1 --seed 9 --compress
	mkdir -p examples
	mv build/example/truth/*.json examples/lumbar.json
	mv build/example/lumbar-* examples/lumbar

tables: $(VENV)/.dev ## measure the shipped packs and write the tables of the docs
	$(BIN)/python -m spinalis.train.judge -o docs/results.md

sheets: $(VENV)/.dev ## set simulated pictures beside real ones, in out/sheets
	$(BIN)/python benchmarks/contact_sheet.py -o out/sheets

bench: $(VENV)/.dev ## time a read of 140 slices on two cores, and triage on one beside the chain of paper 1
	$(BIN)/python benchmarks/read_study.py
	$(BIN)/python benchmarks/triage.py

torture: $(VENV)/.dev ## read the torture set and say which expectations hold
	$(BIN)/python benchmarks/torture.py

clean: ## remove what the other targets made, but not .venv
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python: expected 3.11 or later, found none. Install it or set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	$(PIP) --editable '.[dev]'
	touch $(VENV)/.base $@
