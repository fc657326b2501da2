# Reelwright: `make run` starts it, `make test` tests it; both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CATALOGS := $(shell find hub certs grader -name '*.po')

.PHONY: help setup run test test-docker gpu-check lint bench focus-check images clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed $(CATALOGS:.po=.mo) ## Install everything into .venv and node_modules, start nothing
	@sh .ci/packages bubblewrap:bwrap

$(VENV)/.installed: pyproject.toml constraints.txt package.json package-lock.json
	@echo "reelwright | setting up .venv (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "expected Python 3.11, got %d.%d; set PYTHON=python3.11" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --constraint constraints.txt --editable '.[hub,lab,test]'
	@echo "reelwright | setting up node_modules"
	@npm ci --silent --no-audit --no-fund
	@touch $@

%.mo: %.po | $(VENV)/.installed
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

run: setup ## Start Reelwright here; Ctrl-C stops everything it started
	@exec $(BIN)/reelwright run

test: setup ## Run every test: units, contracts, and the whole story in a real browser
	@sh .ci/packages chromium:chromium fonts-noto-cjk: util-linux:unshare
	@$(BIN)/python -m pytest -m "not docker and not gpu" --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

test-docker: setup ## Run the container engine's tests (root; installs Docker when it may)
	@sh .ci/packages docker.io:dockerd iptables:iptables openssl:openssl chromium:chromium fonts-noto-cjk:
	@$(BIN)/python -m pytest -m "docker and not gpu" $(PYTEST_ARGS)

gpu-check: setup ## Run what needs an NVIDIA GPU; says so plainly where there is none
	@$(BIN)/python -m tests.gpu

lint: setup ## Style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

bench: setup ## Measure against a named peer, one JSON object a line (ONLY=name for one)
	@$(BIN)/python -m tests.bench $(ONLY)

focus-check: setup ## Have the FOCUS project's own validator read an evidence pack (PACK=claim.zip)
	@test -x .focus/bin/focus-validator || { $(PYTHON) -m venv .focus && \
	  .focus/bin/pip install --quiet --disable-pip-version-check 'focus-validator==1.0.0' 'multimethod<2' 'numpy<2'; }
	@$(BIN)/python tests/hub/compute/official_focus.py $(PACK) .focus/bin/focus-validator

images: setup ## Build the lab, grader and hub images (needs a Docker daemon; ONLY=name for one)
	@sh images/build $(ONLY)

clean: ## Remove what setup made; data in var/ stays
	rm -rf $(VENV) .focus node_modules
