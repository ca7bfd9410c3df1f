# Each target makes what it needs of the environment in .venv.
# PYTHON chooses another interpreter (3.11 or newer): make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
PIP_INSTALL := $(VENV)/bin/python -m pip install --quiet --constraint constraints.txt

.PHONY: quickstart test parity lint clean
.DELETE_ON_ERROR:

quickstart: $(VENV)/installed
	$(VENV)/bin/stepdiff quickstart

test: $(VENV)/installed-test
	$(VENV)/bin/python -m pytest -m "not parity"

parity: $(VENV)/installed-parity
	$(VENV)/bin/python -m pytest -m parity

lint: $(VENV)/installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest tests/test_house.py

clean:
	rm -rf $(VENV) build/lib build/bdist.* dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/installed: setup.py pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(PIP_INSTALL) --editable ".[$*]"
	touch $@
