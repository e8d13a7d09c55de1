# Everything a user or CI runs. `make demo` and `make test` need Python 3.11+ and make, nothing else.

.DEFAULT_GOAL := help
.PHONY: help install demo test lint browser bench soak wrk clean

# Every process that is started would compile what it imports anew, which takes longer than the rest of its start.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
INSTALLED_BENCH := .venv/.installed-bench

# The first Python 3.11 or newer; `make PYTHON=...` takes another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)

help:
	@echo "make install   make .venv from the lock file, with .venv/bin/inlink"
	@echo "make demo      a small web, crawled, indexed and served (ONCE=1: end after the tour)"
	@echo "make test      lint, types, import rules, tests"
	@echo "make lint      all of these but the tests"
	@echo "make bench     measure Inlink beside its peers (QUICK=1: some ten minutes, not two hours)"
	@echo "make soak      half an hour of mixed load on a server"
	@echo "make clean     remove .venv, caches and the demo's data"

install: $(INSTALLED)

demo: $(INSTALLED)
	@$(BIN)/python -m demo.run $(if $(ONCE),--once)

test: lint browser
	@$(BIN)/python -m pytest

lint: $(INSTALLED_DEV)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# For the test of the page /docs; where it cannot be had, that test is skipped (but fails under CI).
browser:
	@for name in chromium chromium-headless-shell chromium-browser google-chrome; do \
		command -v $$name >/dev/null && exit 0; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium"; \
		apt-get install -qq -y --no-install-recommends chromium >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || true; \
	fi

bench: $(INSTALLED_BENCH) wrk
	@$(BIN)/python -m bench $(if $(QUICK),--quick)

soak: $(INSTALLED_BENCH)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) soak

# The load generator of the benchmark of serving; without it, that part is left out.
wrk:
	@command -v wrk >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get install -qq -y --no-install-recommends wrk >/dev/null; } || true

clean:
	rm -rf .venv bench-results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-data
	find src tests bench demo -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt pyproject.toml | .venv/bin/pip
	@echo "Installing the packages of requirements.txt into .venv (the first time takes a minute or two)"
	@$(PIP) install --no-compile --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt $(INSTALLED)
	@echo "Installing the tools of requirements-dev.txt into .venv"
	@$(PIP) install --no-compile --require-hashes -r requirements-dev.txt
	@touch $@

# The peers in benchmarks. Without --no-deps pip would refuse cc-pyspark beside Ibis; see [tool.uv] in pyproject.toml.
$(INSTALLED_BENCH): requirements-bench.txt $(INSTALLED_DEV)
	@echo "Installing the peers of requirements-bench.txt into .venv"
	@$(PIP) install --no-compile --no-deps --require-hashes -r requirements-bench.txt
	@touch $@

# Debian and Ubuntu keep the part of Python that venv needs in a package of its own.
.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "Inlink needs Python 3.11 or newer, and finds none." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing $$package"; \
			apt-get install -qq -y "$$package" >/dev/null || \
			{ apt-get update -qq && apt-get install -qq -y "$$package" >/dev/null; }; \
		else \
			echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu:" >&2; \
			echo "    sudo apt-get install $$package" >&2; exit 1; \
		fi; }
	@$(PYTHON) -m venv .venv
