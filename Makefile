# make run [PORT=…] [HOST=…]   environment, dependencies, start
# make test                    environment, dependencies, linters, every test
# make install | lint | audit | bench
# make test-extended             what takes too long for every run: every export, peers that are compiled
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 7860
BIN := .venv/bin

.PHONY: run test test-extended install install-dev lint audit bench browser servers

run: install
	$(BIN)/python app.py --host $(HOST) --port $(PORT)

install: .venv/.app

# Programs are fetched while the linters work. Three processes, a file of tests at a time; some cases are listed from sets,
# whose order both must agree on. More threads than one in each would wait for one another in loops.
test: install-dev
	$(MAKE) --jobs=2 lint audit servers
	PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile $(PYTEST_ARGS)

test-extended: install-dev .venv/llama/.done .venv/zerogpu/.done
	sh tests/install-servers.sh
	$(BIN)/python -m pytest -m extended $(PYTEST_ARGS)
	ZEROGPU_PACKAGE=$(CURDIR)/.venv/zerogpu LLAMA_PYTHON=$(CURDIR)/.venv/llama/bin/python $(BIN)/python -m pytest tests/extended $(PYTEST_ARGS)

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Whether anything installed has a known vulnerability; says so and goes on where the advisory service cannot be asked.
audit: install-dev
	$(BIN)/python -m tests.audit

bench: install-dev
	$(BIN)/python -m benchmarks

browser:
	sh tests/install-browser.sh

servers: browser # one package manager at a time
	sh tests/install-servers.sh

install-dev: .venv/.dev

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv

.venv/.app: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.dev: requirements-dev.txt requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ .venv/.app

# Hugging Face's package for ZeroGPU, beside the environment: it is for Spaces, and has the name of a folder here.
.venv/zerogpu/.done: spaces/zerogpu/requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv/zerogpu \
		$$(grep '^spaces==' spaces/zerogpu/requirements.txt)
	touch $@

# Compiles llama.cpp for processors with AVX2: its own choice for this machine crashes on some (AMX).
.venv/llama/.done: tests/extended/requirements.txt | .venv/bin/python
	$(PYTHON) -m venv .venv/llama
	CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON" .venv/llama/bin/python -m pip install \
		--quiet --disable-pip-version-check -r tests/extended/requirements.txt
	touch $@
