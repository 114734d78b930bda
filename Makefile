# `make demo` and `make test` are all a newcomer needs. Both need Python 3.11+, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := var/demo
WORLD_US := ../shared/data/world_us
CREATORFIT_HOME ?= var
CREATORFIT_TRACKING_URI ?= sqlite:///$(CREATORFIT_HOME)/mlflow.db
MLFLOW_PORT ?= 5000
export HF_HUB_OFFLINE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types laws pytest test-long test-postgres serve mlflow docs report runtime-check lock audit sbom fuzz clean

help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.train  ## Simulate a world, train on it, rank a brief through the real service
	rm -rf $(DEMO)
	$(BIN)/python -m training simulate $(DEMO)/world --creators 1000 --seed 7
	$(BIN)/python -m training train $(DEMO)/world
	$(BIN)/python -m examples.ask examples/brief.json
	@echo
	@echo "All of this is SIMULATED data. Next:"
	@echo "  make serve    the API on http://127.0.0.1:8000/docs"
	@echo "  make mlflow   runs, figures and plots on http://127.0.0.1:5000"

test: check  ## Set up and pass the tests (all of `make check`; `make test-long` has the rest)

check: lint types laws pytest  ## Format, lint, strict types, import laws, tests

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

laws: $(VENV)/.dev
	$(BIN)/lint-imports

# A file a process, on two cores, in the order of `tests/conftest.py`; a thread each, for LightGBM's
# threads spin while they wait.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

pytest: $(VENV)/.dev
	$(PYTEST) -m "not long"

test-long: $(VENV)/.dev  ## The tests that walk through the whole product from the outside
	$(PYTEST) -m long

# The rest of the suite runs on either database by itself, or uses none.
test-postgres: $(VENV)/.dev  ## The tests that use the service's database, on a real PostgreSQL
	CREATORFIT_TEST_DATABASE=postgresql $(PYTEST) -m database

serve: $(VENV)/.train  ## Serve the API
	$(BIN)/python -m service serve

mlflow: $(VENV)/.train  ## Open the MLflow UI on the product's store
ifneq ($(filter http://% https://%,$(CREATORFIT_TRACKING_URI)),)
	@echo "CREATORFIT_TRACKING_URI is a server, which has the UI itself: open $(CREATORFIT_TRACKING_URI)"
else
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow server --backend-store-uri $(CREATORFIT_TRACKING_URI) \
		--artifacts-destination $(CREATORFIT_HOME)/artifacts --host 127.0.0.1 --port $(MLFLOW_PORT)
endif

docs: $(VENV)/.dev  ## Write the pages that are made from the code: docs/data.md, features.md, api.md
	$(BIN)/python -m docs.generate

report: $(VENV)/.train  ## Train on ../shared/data/world_us and keep the evaluation in var/artefacts
	rm -rf var/world_us && mkdir -p var/artefacts
	CREATORFIT_HOME=var/world_us CREATORFIT_SIMULATED=true $(BIN)/python -m training train $(WORLD_US)
	cp var/world_us/reports/version-1.html var/artefacts/world_us.html
	cp var/world_us/reports/version-1.json var/artefacts/world_us.json

runtime-check: $(VENV)/.train  ## Prove the image's runtime list in a clean environment
	PYTHON=$(PYTHON) sh .ci/runtime_check.sh

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Extras by activity; each is installed once for each change of what it is made from.
$(VENV)/.train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train]'
	touch $@

$(VENV)/.supply: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,dev,supply]'
	touch $@

$(VENV)/.dev: $(VENV)/.train
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,distributed,dev]'
	touch $@

# Torch is in no lock: the file of it for a machine without an accelerator is not the one whose hash the
# index has, and training is not what is deployed. The locks are of the image (Dockerfile).
LOCK := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe --constraint constraints.txt

lock: $(VENV)/.supply  ## Renew the hashes of what the image is made of (requirements/*.lock)
	$(LOCK) --output-file requirements/runtime.lock pyproject.toml
	$(LOCK) --only-build-deps --build-deps-for wheel --output-file requirements/build.lock pyproject.toml

audit: $(VENV)/.supply  ## Known vulnerabilities of what the locks name; 3 where the database does not answer
	$(BIN)/python .ci/audit.py requirements/runtime.lock requirements/build.lock
	$(BIN)/python -m pip check

sbom: $(VENV)/.supply  ## Write the image's bill of materials (CycloneDX) to var/artefacts/sbom.json
	PYTHON=$(PYTHON) sh .ci/sbom.sh

fuzz: $(VENV)/.dev  ## Ask the API 5,000 things, and the readers 200,000 (hours; the suite has short forms)
	$(BIN)/python -m benchmarks.fuzz_api --cases 5000
	$(BIN)/python -m benchmarks.fuzz_readers --inputs 200000 --processes 2

clean:  ## Remove what was made here
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
