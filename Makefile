# Every target works on a fresh machine: what is missing is set up first.
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
PYTEST := .venv/bin/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup browser demo test check test-fast chaos bench schema lock clean

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## Make .venv, install locked dependencies, get Temporal's development server
	@scripts/setup

browser:
	@scripts/setup-browser

demo: setup ## Run the demo until interrupted; ONCE=1 ends with one JSON line
	@.venv/bin/python -m demo $(if $(filter-out 0,$(ONCE)),--once)

test: setup browser check ## Check and test everything
	@$(PYTEST)

check: setup ## Format, lint, types, floors
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports

test-fast: setup ## Tests without the slow ones, the browser and the faults
	@$(PYTEST) -m "not slow and not browser and not chaos"

chaos: setup ## Every kill and every fault (make test runs a seeded sample)
	@$(PYTEST) -m chaos --every-fault

bench: setup ## Measure speed and memory; nothing else should run meanwhile
	@.venv/bin/python -m benchmarks

schema: setup ## Write docs/schema.graphql and docs/openapi.json anew
	@.venv/bin/tensorcost schema

lock: setup ## Write requirements/*.lock anew
	@scripts/lock

clean: ## Remove caches, build outputs and the demo's data
	@scripts/clean
