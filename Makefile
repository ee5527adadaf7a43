# `make help` lists the targets. Everything is installed into .venv from the hashed lock files in requirements/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# The pages against the code; what they show is executed by `make test`.
DOCS_TRUE := tests/docs/test_pages.py tests/admin/test_openapi.py tests/config/test_config_schema.py tests/cli/test_cli_docs.py tests/observe/test_observe_docs.py

.DEFAULT_GOAL := help
.PHONY: help install install-dev serve test check kill soak conformance prices bench format lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Dragoman needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: requirements/serve.txt pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements/serve.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $(VENV)/.serve $@

install: $(VENV)/.serve ## install what serving needs; .venv/bin/dragoman exists afterwards

install-dev: $(VENV)/.dev ## install what the tests and checks need too

serve: $(VENV)/.serve ## install what is missing and serve on http://127.0.0.1:8000; ARGS="--port 9000" passes arguments on
	$(BIN)/dragoman serve $(ARGS)

test: $(VENV)/.dev ## install what is missing and run every test; ARGS="-k name" passes arguments on
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import directions, docs-are-true
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q $(DOCS_TRUE)

kill: $(VENV)/.dev ## what takes long: fifty times kill -9 in each of the ledger's cases, full disks, databases and Valkey that go away, chaos; 30 minutes
	DRAGOMAN_SOAK=1 DRAGOMAN_KILLS=50 $(BIN)/python -m pytest -v -s tests/e2e/test_kill.py tests/e2e/test_server_gone.py tests/e2e/test_disk_full.py \
		tests/e2e/test_database_taken.py tests/e2e/test_load.py tests/e2e/test_cache_shared.py tests/e2e/test_faults.py tests/e2e/test_reload_under_fire.py tests/e2e/test_machines.py tests/e2e/test_fleet.py tests/e2e/test_chaos.py tests/e2e/test_keys.py tests/sharing tests/limits

soak: $(VENV)/.dev ## 100,000 requests to three targets of which 30 % of all calls fail, in every way there is; ten minutes
	DRAGOMAN_SOAK=1 DRAGOMAN_SOAK_REQUESTS=100000 $(BIN)/python -m pytest -v -s tests/e2e/test_soak.py tests/e2e/test_silence.py

conformance: $(VENV)/.dev ## try every feature between all protocols, and write docs/conformance.md from what passed
	DRAGOMAN_UPDATE_CONFORMANCE=1 $(BIN)/python -m pytest -q tests/conformance

prices: $(VENV)/.dev ## write the bundled price table anew, from the locked version of genai-prices
	DRAGOMAN_UPDATE_PRICES=1 $(BIN)/python -m pytest -q tests/catalog/test_price_table.py

bench: $(VENV)/.dev ## the benchmarks, each beside nginx in the same run; needs nginx and wrk; ARGS="--quick" for a short look
	$(BIN)/python -m bench $(ARGS)

format: $(VENV)/.dev ## rewrite the sources in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## make the hashed lock files anew (needs uv on PATH)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra local --extra postgres --group build -o requirements/serve.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra local --extra postgres --group build --group test --group check -o requirements/dev.txt

clean: ## remove what was installed and made; the data directory stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
