# Everything a developer types. `make help` lists it.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INSTALLED := $(VENV)/.installed
CLUSTERS := $(VENV)/.clusters
# Tests wait much for services and leases, so two cores carry four processes of them.
PROCESSES ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo check test peers clean

help: ## list what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(INSTALLED) ## install the product and its tools, as tested, into .venv

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name it as in: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@echo "Installing into $(VENV) (a minute or two)"
	@$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@

# Spark is as large as all else together, and only tests and the type checker want it.
$(CLUSTERS): $(INSTALLED)
	@echo "Installing Spark and Sail into $(VENV)"
	@$(PIP) install -c constraints.txt -e ".[clusters]"
	@touch $@

demo: setup ## run it all on this machine: sample files, S3, Postgres, the Dagster UI
	@$(BIN)/ingest-assets demo

check: setup $(CLUSTERS) ## lint, format, types, and whether the code location loads
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dagster definitions validate -m ingest_assets.definitions --log-level warning
	INGEST_DEFS=ingest_assets/demo/defs \
		$(BIN)/dagster definitions validate -m ingest_assets.definitions --log-level warning

test: setup $(CLUSTERS) ## all tests, against real services that they start and stop themselves
	$(BIN)/python -m pytest -m "not alone" --numprocesses $(PROCESSES) --dist worksteal --durations=15
	$(BIN)/python -m pytest -m alone

peers: $(PEERS)/.installed ## install the libraries that benchmarks compare with, into .venv-peers

$(PEERS)/.installed: benchmarks/peers.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@echo "Installing into $(PEERS) (two minutes, 1.5 GB; Spark needs Java 17 as well)"
	@$(PEERS)/bin/python -m pip --disable-pip-version-check -qq install -r $<
	@touch $@

clean: ## remove what tools leave behind; your data (.ingest) and .venv stay
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist *.egg-info .tmp_dagster_home_*
	find ingest_assets ingest_assets_tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
