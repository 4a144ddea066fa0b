# Every target makes the .venv it needs; none has to be active.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
FACES := $(wildcard packages/faces64)

INTEROP := .venv-interop
# deepinv needs torchvision, which only goes with a torch of its own release.
DEEPINV := deepinv==0.5.0 torch==2.14.1 torchvision==0.29.1

.PHONY: demo test test-web test-interop test-ray lint docs dist release clean

demo: $(STAMP)
	$(BIN)/restora demo -o out/demo

test: $(STAMP)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto --ignore tests/browser \
		--ignore tests/interop --ignore tests/ray $(ARGS)

test-web: $(STAMP)
	@command -v chromium chromium-browser >/dev/null || [ -n "$$CHROMIUM" ] || \
		{ echo "Installing chromium for the tests of the page" >&2; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "chromium could not be installed here, so the tests of the page are skipped" >&2
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest tests/browser -rs $(ARGS)

test-interop: $(INTEROP)/.installed
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(INTEROP)/bin/python -m pytest tests/interop -rs $(ARGS)

test-ray: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[ray]"
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest tests/ray -rs $(ARGS)

$(INTEROP)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing deepinv and its own torch into $(INTEROP); this takes minutes, once." >&2
	@$(BIN)/python -m venv $(INTEROP)
	@$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check $(DEEPINV) -e . $(FACES:%=-e %) pytest
	@touch $@

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, in build/docs/index.html. A warning is an error.
docs: $(STAMP)
	OMP_WAIT_POLICY=passive $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs $(ARGS)
	@echo "site: build/docs/index.html"

# Wheels and source distributions of restora and of the weights of faces.
dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python -m build --no-isolation --outdir dist packages/faces64
	$(BIN)/python -m twine check --strict dist/*

# What a release has to pass: both wheels in an empty environment, with nothing but their defaults.
release: dist
	$(BIN)/python tests/release.py dist

clean:
	rm -rf out build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis docs/gallery docs/reference/generated

$(STAMP): pyproject.toml constraints.txt $(FACES:%=%/pyproject.toml) | $(BIN)/python
	@echo "Installing restora and what it needs into .venv; this takes minutes, once." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,dev,docs]" $(FACES:%=-e %)
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "restora needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1 | tail -n 1). Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing; install it (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
