# The commands of a laboratory. Each works as the first one typed in a fresh clone: it makes the
# virtual environment .venv, installs eda_sim there with the exact versions of constraints.txt, and
# goes on; while pyproject.toml and constraints.txt stay as they are, that is done already.
#
#   make lab JUPYTER_FLAGS="--no-browser --allow-root"   flags for JupyterLab
#   make test PYTHON=python3.13                          another Python (.venv is made anew)
#   make test WORKERS=4                                  tests side by side (default: every core)
#   make notebooks NOTEBOOKS=notebooks/00_start_here.ipynb

WORKERS ?= logical
NOTEBOOKS ?=
JUPYTER_FLAGS ?=
CELL_TIMEOUT ?= 240

VENV := .venv
STAMP := $(VENV)/.installed

# .venv is good for this folder and for this Python; a copied or moved one is made anew. With no
# PYTHON= given, whichever Python made it will do.
ifdef PYTHON
  SERVES := $(CURDIR) $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
  SERVED := $(shell cat $(STAMP) 2>/dev/null)
else
  SERVES := $(CURDIR)
  SERVED := $(shell sed 's/ [^ ]*$$//' $(STAMP) 2>/dev/null)
endif
PYTHON ?= python3
ifneq ($(SERVED),$(SERVES))
  STALE := stale
endif

# Everything runs on .venv's Python, whatever environment is active around it. The settings of the
# user's own IPython and matplotlib stay out of what tests and notebooks print.
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" \
	JUPYTER_PREFER_ENV_PATH=1
UNTOUCHED := IPYTHONDIR="$(CURDIR)/$(VENV)/ipython" MPLCONFIGDIR="$(CURDIR)/$(VENV)/matplotlib"

# $(call run,MODULE ARGUMENTS): show a command as one would type it, then run it.
run = @echo "python -m $(1)"; $(IN_VENV) $(UNTOUCHED) $(VENV)/bin/python -m $(1)

.DEFAULT_GOAL := help
.PHONY: help install lab test test-unit test-notebooks nightly check format notebooks bench \
        figure constraints clean stale

help:
	@echo "make lab          open the notebooks in JupyterLab"
	@echo "make test         run the unit tests and every notebook"
	@echo "make check        lint, format, types and the import contract"
	@echo "make nightly      try the laws on five hundred random systems that nobody has tried"
	@echo "make notebooks    re-execute every notebook and store its outputs"
	@echo "make bench        measure the engine against SimPy written by hand"
	@echo "make figure       draw the figure of README.md anew"
	@echo "make format       let ruff put code and notebooks in order"
	@echo "make constraints  pin the newest version of every dependency"
	@echo "make clean        remove .venv and all caches"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(STALE)
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "error: no '$(PYTHON)' here: install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: eda_sim needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1): name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' cannot make virtual environments: install its venv package (Debian and Ubuntu: apt install python3-venv), or go the conda way of README.md" >&2; exit 1; }
	@echo "Installing eda_sim and its tools into $(VENV) (once, a minute or two) ..."
	@rm -f $(STAMP)
	@"$(PYTHON)" -m venv $(if $(STALE),--clear) $(VENV)
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	  PIP_DISABLE_PIP_VERSION_CHECK=1 \
	  $(VENV)/bin/python -m pip install -qq -e '.[lab,test]'
	@$(IN_VENV) $(VENV)/bin/python -m jupyter labextension disable --level=sys_prefix \
	  "@jupyterlab/apputils-extension:announcements" >/dev/null 2>&1
	@$(UNTOUCHED) $(VENV)/bin/python -c 'import matplotlib.font_manager' 2>/dev/null
	@$(VENV)/bin/python -c 'import sys; print("$(CURDIR)", "%d.%d" % sys.version_info[:2])' > $(STAMP)

lab: $(STAMP)
	@$(IN_VENV) $(VENV)/bin/python -m jupyterlab $(JUPYTER_FLAGS) \
	  --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: test-unit test-notebooks

test-unit: $(STAMP)
	$(call run,pytest -n $(WORKERS) --dist worksteal)

test-notebooks: $(STAMP)
	$(call run,pytest -n $(WORKERS) --dist loadfile --nbval --nbval-current-env \
	  --nbval-cell-timeout=$(CELL_TIMEOUT) --nbval-sanitize-with tests/nbval_sanitize.cfg notebooks)

nightly: $(STAMP)
	$(call run,pytest -n $(WORKERS) --hypothesis-profile=nightly tests/test_failure_laws.py \
	  tests/test_audit.py tests/test_delivery_laws.py tests/test_right_laws.py)

check: $(STAMP)
	$(call run,ruff check)
	$(call run,ruff format --check)
	$(call run,mypy)
	$(call run,tools.contract)

format: $(STAMP)
	$(call run,ruff check --fix)
	$(call run,ruff format)

notebooks: $(STAMP)
	$(call run,tools.notebooks $(NOTEBOOKS))

bench: $(STAMP)
	$(call run,benchmarks)

figure: $(STAMP)
	$(call run,tools.readme_figure)

constraints: $(STAMP)
	$(call run,tools.constraints)

clean:
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
