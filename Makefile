# `make` runs Madoguchi, `make test` tests it.
.DEFAULT_GOAL := run
.PHONY: run test quick tour fix lock audit bench chaos help clean lint
PYTHON ?= python3
IN := .venv/bin/python -m
CODE := bot handlers storage tests
# mypy keeps one processor busy, so it runs beside the first tests and prints what it finds as soon as it ends.
BESIDE_TYPES = $(IN) mypy & types=$$!; $(1); tests=$$?; wait $$types || { echo "mypy found errors: see above."; exit 1; }; exit $$tests
# If this variable is set, no bytecode is cached, and every process that a test starts compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

run: .venv/run.ok ## install what is missing and run the bot (in the practice workspace if no Slack token is set)
	@$(IN) bot

test: lint ## lint, format check, import contracts, types, tests
	@$(call BESIDE_TYPES,$(IN) pytest -n auto)

quick: lint ## lint, types, contracts and every test that starts no program and no browser
	@$(call BESIDE_TYPES,$(IN) pytest -n auto --hypothesis-profile=quick -m "not program and not browser and not tour")

tour: .venv/dev.ok .venv/browser.ok ## walk through the whole product in a real browser, and through a whole replay
	@$(IN) pytest -n 2 -m tour

lint: .venv/dev.ok .venv/browser.ok
	@$(IN) ruff check $(CODE)
	@$(IN) ruff format --check $(CODE)
	@.venv/bin/lint-imports --no-logo

fix: .venv/dev.ok ## apply automatic lint fixes and format the code
	@$(IN) ruff check --fix $(CODE)
	@$(IN) ruff format $(CODE)

LOCK = .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command 'make lock'
lock: .venv/dev.ok ## update the pinned versions in .ci/ to the newest that are a week old
	$(LOCK) --upgrade --all-extras pyproject.toml -o .ci/run.txt
	$(LOCK) --upgrade --all-extras --group dev pyproject.toml -c .ci/run.txt -o .ci/dev.txt
	$(LOCK) --upgrade pyproject.toml -c .ci/run.txt -o .ci/lean.txt

audit: .venv/dev.ok ## check the dependencies: licences, and known vulnerabilities if osv.dev answers
	@.venv/bin/python .ci/audit.py

bench: .venv/dev.ok ## measure speed, as ratios within one run
	@$(IN) tests.bench

chaos: .venv/dev.ok ## check that nothing is lost while everything fails: ten minutes, a thousand questions
	@$(IN) tests.chaos

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

clean: ## remove .venv and the caches, not the data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@echo "Making a Python environment in .venv ..."
	@$(PYTHON) -m venv .venv

.venv/%.ok: .ci/%.txt | .venv/bin/python
	@echo "Installing the packages of $< (hash-checked) ..."
	@.venv/bin/python .ci/install.py $<
	@touch $@

# The browser tests need Chromium: the one on the PATH, else from apt, else Playwright's own.
.venv/browser.ok: .venv/dev.ok
	@sh .ci/browser
	@touch $@
