# make evaluate   set up, make the example, run every notebook, write out/hjoerring/index.html
# make test       set up with test packages, run every test
# make lab        open the notebooks in JupyterLab
# make docs       build the documentation with every example run, written to out/docs/index.html
# make bench      time the survival models beside R and other packages (ARGS=--quick: under a minute)
# make study      replications of the recovery studies, written to docs/studies/
# make lock       pin the packages again, with hashes and without addresses
# Windows has no make: README shows the same steps for it.

VENV := .venv
BIN := $(VENV)/bin
# A name on the path is not yet an interpreter that starts: each is tried.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null)
ARGS ?=

# Containers often switch bytecode off; every kernel would then compile the whole stack again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: evaluate test lab docs bench study lock clean
.DEFAULT_GOAL := evaluate

evaluate: $(VENV)/evalkit.stamp
	@$(BIN)/evalkit demo --site hjoerring $(ARGS)

test: $(VENV)/test.stamp
	@$(BIN)/python -m pytest -n 2 $(ARGS)

lab: $(VENV)/test.stamp
	@$(BIN)/evalkit lab

docs: $(VENV)/test.stamp
	@$(BIN)/python docs/build.py $(ARGS)

bench: $(VENV)/test.stamp
	@$(BIN)/python benchmarks/survival.py $(ARGS)

study: $(VENV)/test.stamp
	@$(BIN)/python tests/recovery/study_survival.py --workers 2
	@$(BIN)/python tests/recovery/study_panel.py
	@$(BIN)/python tests/recovery/study.py $(ARGS)

$(VENV)/evalkit.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements.lock)

$(VENV)/test.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(call install,requirements-dev.lock)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "evalkit needs Python 3.11, 3.12 or 3.13; name it with make PYTHON=..."; exit 1; }
ifdef UV
	@$(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
else
	@$(PYTHON) -m venv $(VENV)
endif

# The package itself is built with the locked hatchling: nothing is fetched that has no hash.
ifdef UV
define install
	@echo "installing $(1)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r $(1)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@
endef
else
define install
	@echo "installing $(1)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $(1)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
endef
endif

# The newest lifelines declares pandas<3: the lock holds a pair that is declared to fit (docs/decisions/0003).
# Not in pyproject: uv applies constraints found there to every install and refuses them beside hashes.
LOCK := echo 'pandas<3' | uv pip compile --quiet --constraints - --upgrade --universal \
  --python-version 3.11 --generate-hashes --only-binary :all: --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml --extra build
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra lab --extra test -o requirements-dev.lock

clean:
	rm -rf out private data/hjoerring data/frederikshavn
