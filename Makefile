# Two commands: `make` runs Madoguchi, `make test` tests it.
.DEFAULT_GOAL := run
.PHONY: run test fix lock bench chaos help clean
PYTHON ?= python3
IN := .venv/bin/python -m
CODE := bot handlers storage tests
# Where a machine says so, nothing is compiled for keeps, and each of the many starts in a test compiles all anew.
unexport PYTHONDONTWRITEBYTECODE

run: .venv/run.ok ## set up what is missing and run the bot (practice workspace where no Slack token is set)
	@$(IN) bot

test: .venv/dev.ok .venv/browser.ok ## lint, format check, import contracts, types, tests
	@$(IN) ruff check $(CODE)
	@$(IN) ruff format --check $(CODE)
	@.venv/bin/lint-imports --no-logo
	@$(IN) mypy
	@$(IN) pytest -n auto

fix: .venv/dev.ok ## repair lint and format where a machine can
	@$(IN) ruff check --fix $(CODE)
	@$(IN) ruff format $(CODE)

LOCK = .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command 'make lock'
lock: .venv/dev.ok ## choose the versions anew, at least a week old, into .ci/run.txt and .ci/dev.txt
	$(LOCK) --upgrade pyproject.toml -o .ci/run.txt
	$(LOCK) --upgrade --group dev pyproject.toml -c .ci/run.txt -o .ci/dev.txt

bench: .venv/dev.ok ## measure speed, as ratios within one run
	@$(IN) tests.bench

chaos: .venv/dev.ok ## prove that nothing is lost while everything fails: ten minutes, a thousand questions
	@$(IN) tests.chaos

help: ## show these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

clean: ## remove the environments, not the data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@echo "Making a Python environment in .venv ..."
	@$(PYTHON) -m venv .venv

.venv/%.ok: .ci/%.txt | .venv/bin/python
	@echo "Installing $< (hash-checked) ..."
	@.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

# A browser for the tests that drive one: on the PATH, else from apt, else the test library's own.
.venv/browser.ok: .venv/dev.ok
	@sh .ci/browser
	@touch $@
