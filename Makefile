# `make` alone lists the targets. `make setup` needs Python 3.11, 3.12 or 3.13 and a package index, nothing else.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready
# What the saved outputs in notebooks/ were made with, and what the tests compare them with.
SAMPLE := SKINLIB_DATA=sample SKINLIB_WEIGHTS=untrained SKINLIB_BACKBONE=resnet50 SKINLIB_SPEED=full SKINLIB_SEED=0
# Two processes, each with whole files of tests: what the tests of a file share is made once.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile

# Without compiled bytecode every `import tensorflow` takes ten seconds.
unexport PYTHONDONTWRITEBYTECODE
# The kernel called python3 is this environment's, whatever kernels the user has.
export JUPYTER_PREFER_ENV_PATH := 1
unexport JUPYTER_PATH

.DEFAULT_GOAL := help
.PHONY: help setup book check test slow lab clinical results notebooks bench bench-book lint lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv from requirements.lock (other targets do this by themselves)
	@echo "Ready: $(BIN)"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "make: this needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) --version 2>&1); try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	@rm -f $@
	@version() { "$$1" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null; }; \
	  [ "$$(version $(BIN)/python)" = "$$(version $(PYTHON))" ] || $(PYTHON) -m venv --clear .venv
	@echo "Installing requirements.lock into .venv (about 2 GB)"
	@# uv installs in seconds what takes pip minutes; where it can't work, pip does the same.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

book: $(READY) ## build the book into _build/html (only what changed is run again)
	@$(BIN)/python book/build.py

check: lint ## lint, check types, and run the quick tests, which need no TensorFlow: a minute
	@$(BIN)/mypy
	@$(PYTEST) --quiet -m "not network and not long and not slow and not site"

# The notebooks first, with all cores; one that fails here fails again among the tests, which say so.
test: $(READY) ## run the tests, the notebooks' and, where it is built, the site's
	@$(SAMPLE) $(BIN)/python book/execute.py || true
	@$(SAMPLE) $(PYTEST) -m "not slow"

slow: $(READY) ## run the tests that take long and guard what seldom changes
	@$(SAMPLE) $(PYTEST) -m slow

lab: $(READY) ## open the notebooks in JupyterLab
	@$(BIN)/python book/lab.py

clinical: $(READY) ## run the notebooks on the clinical photos, into _build/clinical
	@if [ -z "$$SKINLIB_DATA" ]; then $(BIN)/python -m skinlib fetch; fi
	@SKINLIB_DATA="$${SKINLIB_DATA:-clinical}" $(BIN)/python book/execute.py --out _build/clinical

results: $(READY) ## train and judge every rung of the ladder; RESULTS_DATA=FOLDER for other photos than the sample
	@$(BIN)/python -m skinlib results "$${RESULTS_DATA:-sample}" --out book/results

notebooks: $(READY) ## run the notebooks on the sample and save their outputs in place
	@$(SAMPLE) $(BIN)/python book/execute.py --out notebooks

bench: $(READY) ## measure everything but the book in less than 20 minutes, for its page Performance
	@$(BIN)/python benchmarks/everything.py

bench-book: $(READY) ## time the book and its tests, in an hour or so, for its page Performance
	@$(BIN)/python benchmarks/book.py

lint: $(READY) ## check the style of the code and the workflows
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@if command -v actionlint >/dev/null; then actionlint; else echo "actionlint is not installed: the workflows are checked on GitHub"; fi

lock: $(READY) ## resolve requirements.txt anew into requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements.txt -o requirements.lock

clean: ## delete what was built; keeps .venv and the cache of photos and features
	rm -rf _build .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
