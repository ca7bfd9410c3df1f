# Each target installs what it needs into .venv.
# PYTHON chooses another interpreter (3.11 or newer): make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
# Processes that run tests.
WORKERS ?= 2
PIP_INSTALL := $(VENV)/bin/python -m pip install --quiet --constraint constraints.txt

.PHONY: quickstart test parity beam rehearsal lint clean
.DELETE_ON_ERROR:

quickstart: $(VENV)/installed
	$(VENV)/bin/stepdiff quickstart

test: $(VENV)/installed-test
	$(VENV)/bin/python -m pytest -m "not parity" -n $(WORKERS) --dist loadfile

parity: $(VENV)/installed-parity
	$(VENV)/bin/python -m pytest -m parity -n $(WORKERS) --dist loadfile

# Beam needs older packages than everything else, so it has its own environment.
beam: .venv_beam/installed
	.venv_beam/bin/python -m pytest tests/data_prep/records/test_pack.py tests/data_prep/records/test_pack_beam.py tests/data_prep/stage/test_workers.py tests/data_prep/stage/beam

# The paper's path on files in the published formats. HTSTEP=DIR, BENCHMARK=FILE and TOKENIZER=FILE
# take real files instead of made-up ones.
rehearsal: $(VENV)/installed-parity
	$(VENV)/bin/python -m tests.rehearsal $(if $(HTSTEP),--htstep $(HTSTEP)) \
	    $(if $(BENCHMARK),--benchmark $(BENCHMARK)) $(if $(TOKENIZER),--tokenizer $(TOKENIZER))

lint: $(VENV)/installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest tests/test_rules.py

clean:
	rm -rf $(VENV) .venv_beam build/lib build/bdist.* dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/installed: setup.py pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(PIP_INSTALL) --editable ".[$*]"
	touch $@

.venv_beam/installed: setup.py pyproject.toml constraints.txt constraints_beam.txt
	test -x .venv_beam/bin/python || $(PYTHON) -m venv .venv_beam
	LC_ALL=C sort -s -u -t= -k1,1 constraints_beam.txt constraints.txt > .venv_beam/constraints.txt
	.venv_beam/bin/python -m pip install --quiet --constraint .venv_beam/constraints.txt --editable ".[test,dask]"
	touch $@
