# Two commands do all the set-up: `make demo` and `make test`. The same as plain commands is in
# the README.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= replicate-demo

.PHONY: demo test test-zoo bench check schema clean

demo: $(VENV)/.installed
	$(BIN)/replicate demo --dir $(DEMO)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest
	$(MAKE) check VENV=$(VENV)

# The same tests beside timm, torchvision and open_clip, whose torch is another build.
test-zoo: .venv-zoo/.installed-test
	.venv-zoo/bin/python -m pytest

# Speed and memory beside imagehash, Pillow, faiss and others, in one run: it prints the tables
# that the documentation shows. BENCH=tests/bench/test_hashing.py takes a part of it.
BENCH ?= tests/bench
bench: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n0 -s $(BENCH) -o addopts=--import-mode=importlib --benchmark-only --benchmark-columns=min,median,rounds -o timeout=3600

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

schema: $(VENV)/.installed-test
	$(BIN)/python db/write_schema.py
	$(BIN)/python docs/write_crowd_api.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints/core.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints/core.txt -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints/core.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints/core.txt -e '.[test]'
	touch $(VENV)/.installed $@

.venv-zoo/.installed-test: pyproject.toml constraints/zoo.txt
	$(PYTHON) -m venv .venv-zoo
	.venv-zoo/bin/python -m pip install --quiet -c constraints/zoo.txt -e '.[test,zoo]'
	touch $@

clean:
	rm -rf .venv .venv-zoo $(DEMO)
