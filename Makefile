# Sealpost: the commands that stay. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=
MESSAGES ?= 10000
SECONDS ?= 60

.PHONY: help setup run test check cover peers bench soak fuzz lock clean

help:  ## what can be made
	@awk -F ':.*##' '/^[a-z]+:.*##/ { printf "%-6s %s\n", $$1, $$2 }' Makefile

setup: .venv/runtime  ## install the gateway and its locked dependencies into .venv

run: .venv/runtime  ## start the gateway in its sandbox
	@exec $(BIN)/sealpost sandbox

test: .venv/dev  ## run the whole suite
	@$(BIN)/pytest -n auto --dist worksteal $(PYTEST_ARGS)

check: .venv/dev  ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports

cover: .venv/dev  ## prove that every branch of core and wire is tested by their own tests
	@$(BIN)/pytest -n auto --cov=gateway --cov-report= tests/core tests/wire
	@$(BIN)/coverage report --include='gateway/core/*,gateway/wire/*' --fail-under=100 --skip-covered

peers:  ## install the real servers and clients that the tests talk to (root)
	@deploy/peers.sh

bench: .venv/dev  ## measure against Postfix in the same run
	@$(BIN)/python -m bench

fuzz: .venv/fuzz  ## look for bytes that break a parser: SECONDS=600 for a long one
	@$(BIN)/python -m tests.fuzz.every --seconds $(SECONDS)

soak: .venv/dev  ## kill, reload and count: MESSAGES=1000000 for a long one
	@$(BIN)/python -m bench.soak --messages $(MESSAGES)

lock: .venv/dev  ## renew the locked dependencies
	@$(BIN)/pip-compile -q --no-emit-options --generate-hashes --allow-unsafe --strip-extras --build-deps-for editable --build-deps-for wheel -o requirements.lock pyproject.toml
	@$(BIN)/pip-compile -q --no-emit-options --generate-hashes --allow-unsafe --extra dev --strip-extras -o requirements-dev.lock pyproject.toml
	@echo 'atheris>=3' | $(BIN)/pip-compile -q --no-emit-options --no-header --generate-hashes -o requirements-fuzz.lock -

clean:  ## remove what the other targets made
	@rm -rf .venv sandbox-data build *.egg-info

.venv/bin/python:
	@./deploy/prerequisites.sh $(PYTHON)
	@$(PYTHON) -m venv .venv

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/fuzz: requirements-fuzz.lock .venv/dev
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	@touch $@

.venv/dev: requirements-dev.lock .venv/runtime
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
