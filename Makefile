# Every target does all its own set-up: it needs Python 3.11 to 3.13 and a package index, nothing else.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test slow lint types check format clean

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "tellapart needs Python 3.11, 3.12 or 3.13; none was found. Name one: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## install, train on the digits of scikit-learn, say what to try next
	$(BIN)/tellapart train digits

test: $(STAMP) ## install and run the tests (minutes)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

slow: $(STAMP) ## the long tests, on the real data in TELLAPART_DATA
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,jax]'
	$(BIN)/python -m pytest -m slow --timeout 3600

lint: $(STAMP) ## ruff: style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

check: lint types test ## everything that must pass before a commit

format: $(STAMP) ## let ruff rewrite the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the virtual environment and the caches of the tools
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
