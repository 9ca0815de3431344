# Two commands matter: `make serve` and `make test`. Each makes the environment it needs.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000

BIN := .venv/bin

.PHONY: serve test check lint types layers training lock

serve: .venv/.serve
	$(BIN)/python -m uvicorn main:app --host $(HOST) --port $(PORT)

test: .venv/.dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: lint types layers test

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

layers: .venv/.dev
	$(BIN)/lint-imports

# The environment of `python -m training`; with a GPU, `make training GPU=1`.
training: .venv/.training$(if $(GPU),-gpu)

# For maintainers, with uv at hand: resolve the requirements anew, for every platform at once.
LOCK := uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	pyproject.toml
lock:
	$(LOCK) --extra compiler -o requirements/serve.txt
	$(LOCK) --extra compiler --extra training -c requirements/serve.txt -o requirements/training.txt
	$(LOCK) --extra compiler --extra training --group dev -c requirements/training.txt -o requirements/dev.txt
	$(LOCK) --extra gpu --extra training -c requirements/training.txt -o requirements/training-gpu.txt

.venv/.%: requirements/%.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv
