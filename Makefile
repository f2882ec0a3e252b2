# Two commands: `make demo` shows it, `make test` checks it. Both set up .venv the first time.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN ?= $(if $(CASES),cases,demo)
OUT := runs/$(RUN)

.PHONY: demo serve test lint setup clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[camera,cluster,dev,lite0]'
	touch $@

# CASES=<folder | .jsonl | .jsonl.gz | .zip>  real cases; without it a SIMULATED cohort is drawn.
# RUN=<name>  the run's folder below runs/; a run that was stopped goes on.
demo: $(READY)
	$(BIN)/python -m jobs.run_flow --out $(OUT) $(if $(CASES),--cases "$(CASES)") --set data_dir=$(OUT)/data

# Serves what the demo has made, or what else lies in the run's folder; Ctrl-C ends it.
serve: $(READY)
	$(BIN)/python -m jobs.serve --set data_dir=$(OUT)/data

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

clean:
	rm -rf $(VENV) runs build dist *.egg-info
