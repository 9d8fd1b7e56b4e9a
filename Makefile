# What a newcomer types: make demo, make lab. What a developer types: make check, make test.
# Everything happens in .venv/ in this folder; nothing is installed elsewhere but a browser for the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.phinb-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
export OLIVE_DISABLE_TELEMETRY ?= 1

.PHONY: help setup browser demo-model demo lab check test bench notebooks wheel clean

help:
	@echo "make demo       set up, fine-tune, merge, quantize and compare the demo model (about 10 minutes at first)"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make check      style, types and the fast tests"
	@echo "make test       every test, the browser's included"
	@echo "make bench      speed and memory figures, side by side"
	@echo "make notebooks  execute every notebook"
	@echo "make wheel      build the wheel and the source archive into dist/"
	@echo "make clean      remove .venv/ and what was built"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "phinb needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "This Python has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	$(PIP) install --quiet --upgrade "pip>=25.1"
	$(PIP) install --quiet --constraint constraints.txt --editable ".[cpu]" --group dev
	@touch $(STAMP)

# The tests need a Chromium; where it may be installed it is, else one line says how.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  else echo "The browser tests need Chromium: sudo apt-get install chromium"; exit 1; fi; }

demo-model: setup
	@$(BIN)/phinb model phinb://demo

demo: demo-model
	@echo "Running notebooks/01_quickstart.ipynb: training takes most of the time."
	@mkdir -p build
	@$(BIN)/jupyter execute --timeout=1800 --output="$(CURDIR)/build/01_quickstart.ipynb" notebooks/01_quickstart.ipynb
	@$(BIN)/phinb compare emotion
	@echo
	@echo "The executed notebook is build/01_quickstart.ipynb. To go on in JupyterLab:  make lab"

lab: setup
	$(BIN)/jupyter lab notebooks/01_quickstart.ipynb

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not browser and not hub and not gpu and not azure_live"

# A file of tests each, the browser's first: they wait for pages half of their time, in which a third worker computes.
test: setup browser demo-model
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 40

bench: demo-model
	$(BIN)/python -m tests.benchmarks

notebooks: demo-model
	@mkdir -p build
	@for notebook in notebooks/*.ipynb; do \
	  echo "$$notebook"; \
	  $(BIN)/jupyter execute --timeout=1800 --output="$(CURDIR)/build/$$(basename $$notebook)" $$notebook || exit 1; \
	done

wheel: setup
	rm -rf dist
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
