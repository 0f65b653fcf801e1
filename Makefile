# Everything a developer runs. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PY := .venv/bin/python
# Two stamps, so that an edit of pyproject.toml does not install the dependencies again.
LOCKED := .venv/.installed-lock
PROJECT := .venv/.installed-project

.PHONY: help setup demo samples run test lint hall bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z.]+:.*## /{printf "  \033[1m%-8s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(PROJECT) ## Install everything into .venv (only what changed)

demo: setup ## Load the sample files through a real Airflow and print the reports
	@$(PY) -m gradeway.demo

samples: setup ## Drop the sample files into the inbox of `make run`
	@$(PY) -m gradeway.demo.samples

run: setup ## Leave Airflow running here until Ctrl-C
	@$(PY) -m gradeway.orchestration.run

test: lint ## Lint, then run every test
	@$(PY) -m pytest --ignore tests/e2e --numprocesses auto --dist loadscope
	@$(PY) -m pytest tests/e2e

lint: setup ## Check style, format and types
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy

hall: setup ## Let an exam hall of 300 computers send its files under a bad network (minutes)
	@EXAM_HALL_MACHINES=300 $(PY) -m pytest tests/custody/test_exam_hall.py --capture=no

bench: setup ## Measure the bulk load against a plain COPY
	@$(PY) -m pytest tests/benchmarks --override-ini 'python_files=bench_*.py' --capture=no

lock: ## Resolve the dependencies again into requirements.lock (needs uv)
	@uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate \
		--exclude-newer 2026-09-18T00:00:00Z --output-file requirements.lock --quiet

.env: ## Write fresh random secrets for docker compose
	@umask 077 && python3 -c 'import base64, secrets; \
		names = ["POSTGRES_PASSWORD", "AIRFLOW_DB_PASSWORD", "GRADEWAY_DB_PASSWORD", "GRADEWAY_ADMIN_PASSWORD"]; \
		[print(f"{name}={secrets.token_urlsafe(24)}") for name in names]; \
		[print(f"{name}={secrets.token_urlsafe(64)}") for name in ("AIRFLOW_API_SECRET", "AIRFLOW_JWT_SECRET")]; \
		print("AIRFLOW_FERNET_KEY=" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())' > $@
	@echo 'Wrote .env; the password of the user admin is in it.'

clean: ## Remove what setup, demo and tests made; your landing zone and store stay
	@rm -rf .venv .gradeway/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(LOCKED): requirements.lock
	@if command -v uv >/dev/null; then \
		echo 'Installing the locked dependencies with uv ...'; \
		uv venv --quiet --allow-existing --python '>=3.11,<3.14' .venv; \
		uv pip sync --quiet --python $(PY) --require-hashes --compile-bytecode requirements.lock; \
	else \
		echo 'Installing the locked dependencies with pip (about a minute; uv would take seconds) ...'; \
		for python in python3 python3.13 python3.12 python3.11; do \
			$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && break; \
			python=; \
		done; \
		test -n "$$python" || { echo 'Python 3.11, 3.12 or 3.13 is needed, and none is on PATH. Install one, or install uv.' >&2; exit 1; }; \
		$$python -m venv .venv || { echo "$$python has no venv module. Install it (on Debian: apt install python3-venv), or install uv." >&2; exit 1; }; \
		$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock; \
	fi
	@touch $@

$(PROJECT): pyproject.toml include/gradeway/__init__.py $(LOCKED)
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .; \
	else \
		$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null; \
		$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@
