# Everything a newcomer needs: `make run`, `make test`.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
DATA ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test fuzz bench model ranking screenshots docs clean

run: $(STAMP) ## set up, then open the application (DATA=path opens that, else the demo study)
	@$(PY) -m core.system
	@$(PY) -m gui $(if $(DATA),"$(DATA)",demo)

test: $(STAMP) ## set up, then run every check and test, without a screen
	@$(PY) -m core.system
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	QT_QPA_PLATFORM=offscreen $(PY) -m pytest -n 2 --dist loadfile

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Overread needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make run PYTHON=python3.12")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { echo "The virtual environment cannot be made. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing Overread and what it needs (minutes the first time: PyTorch is large) ..." >&2
	@$(PY) -m pip install -qq --editable '.[dev]' || { echo "Installation failed; pip names the package above. Try again when it is reachable." >&2; exit 1; }
	@touch $@

fuzz: $(STAMP) ## open 100,000 damaged DICOM files as the application does (DATA=folder: damage those too)
	$(PY) -m tests.core.imaging.dicom_fuzz $(if $(DATA),"$(DATA)")

bench: $(STAMP) ## measure; results go to benchmarks/results
	QT_QPA_PLATFORM=offscreen $(PY) -m benchmarks

model: $(STAMP) ## train the bundled model anew (about 70 minutes on two cores; needs the public data)
	$(PY) -m benchmarks.build_model

ranking: $(STAMP) ## train the order of proposals anew (about ten minutes; needs the public data)
	$(PY) -m benchmarks.build_ranking

screenshots: $(STAMP) ## pictures of the running window, for README and docs
	QT_QPA_PLATFORM=offscreen $(PY) -m benchmarks.screenshots $(DATA)

docs: $(STAMP) ## write the generated tables anew
	$(PY) -m docs.generate

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
