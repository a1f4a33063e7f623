.DELETE_ON_ERROR:
.PHONY: demo test test-long coverage fuzz peers bench sweep sweep-elementary check clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

demo: $(VENV)/installed
	$(BIN)/chainrule demo

test: check
	$(BIN)/pytest -n 2 -m "not long"

test-long: $(VENV)/test-installed
	$(BIN)/pytest -n 2 -m long

check: $(VENV)/test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(VENV)/test-installed
	$(BIN)/pytest -n 2 --cov --cov-report=term

fuzz: $(VENV)/test-installed
	$(BIN)/pytest tests/derivations/test_generated.py --hypothesis-profile=fuzz

peers: $(VENV)/peers-installed
	$(BIN)/pytest tests/catalogue/test_peers.py

bench: $(VENV)/benchmark-installed
	$(BIN)/python -m benchmarks

sweep: $(VENV)/installed
	$(BIN)/python tools/sweep_catalogue.py

sweep-elementary: $(VENV)/installed
	$(BIN)/python tools/sweep_elementary.py

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("chainrule needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/test-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group test
	touch $@

$(VENV)/benchmark-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group benchmark
	touch $@

$(VENV)/peers-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group peers
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
