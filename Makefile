# Two commands matter: `make serve` and `make test`. Each makes the environment it needs.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000

BIN := .venv/bin

.PHONY: serve test check lint types layers lock

serve: .venv/.serve
	$(BIN)/python -m uvicorn main:app --host $(HOST) --port $(PORT)

test: .venv/.dev
	$(BIN)/python -m pytest

check: lint types layers test

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

layers: .venv/.dev
	$(BIN)/lint-imports

# For maintainers, with uv at hand: resolve the requirements anew, for every platform at once.
lock:
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
		pyproject.toml --extra compiler -o requirements/serve.txt
	uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
		pyproject.toml --extra compiler --extra training --group dev -c requirements/serve.txt -o requirements/dev.txt

.venv/.serve: requirements/serve.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/serve.txt
	touch $@

.venv/.dev: requirements/dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv
