# The two commands most people need: `make demo` and `make test`. `make help` lists all.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo dashboard wheel pictures check format test test-long audit simulate faults soak bench discovery e2e constraints clean

help: ## what each target does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Two stamps, so that `make demo` does not wait for the tools that only `make test` and `make check` need. Nor does it
# wait here for the clusterer to be compiled: the demo does that while it trains.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "firstseen needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing firstseen (the first time this takes about a minute) ..."
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.runtime
	@echo "Installing the test and check tools ..."
	@$(PIP) install --quiet -c constraints.txt -e '.[dev,onnx,telemetry,text]'
	@$(BIN)/python -m service.compiling.precompile
	@$(BIN)/python -m service.dashboard.fetch || echo "Going on without the dashboard: its tests are skipped."
	@touch $@

# The service does without; so a machine that cannot reach npm still gets everything else.
dashboard: | $(VENV)/bin/python ## get the JavaScript libraries of the dashboard from npm (pinned); nothing if they are there
	@$(BIN)/python -m service.dashboard.fetch || echo "Going on without the dashboard."

wheel: dashboard $(VENV)/.runtime ## build the wheel, dashboard inside, into dist/
	@$(BIN)/python -m service.dashboard.fetch
	@$(PIP) wheel --quiet --no-deps --wheel-dir dist .

setup: $(VENV)/.dev dashboard ## create .venv with firstseen and all tools, at the versions in constraints.txt

demo: $(VENV)/.runtime dashboard ## train on digits without 3 and 7, serve, stream, and watch both be discovered
	@$(BIN)/firstseen demo

pictures: $(VENV)/.dev dashboard ## take the pictures of the dashboard in docs/images anew; needs Chromium
	$(BIN)/python -m tests.service.dashboard.pictures

check: $(VENV)/.dev ## lint, format and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff fix and format the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A slow test that waited in vain, as on a machine with much else to do, is run once more and shown; one that saw something
# wrong is not. The plugin for that would take a third of the time of the others, so they go without.
ONCE_MORE := --reruns=1 --only-rerun='not within [0-9.]+ s' --only-rerun='it does not end' --only-rerun='Timeout .>'

# A worker that dies ends the run: xdist's own way, to start another in its place, can leave it waiting for ever. Files
# go to workers in order, and not the one with the most tests first: that would leave the longest tests for the end.
EACH_CORE := -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart=0

# A tenth of the files have such tests: the others need not be read to find them.
SLOW = $$(grep -rl --include='test_*.py' pytest.mark.slow tests | sort)
LONG = $$(grep -rl --include='test_*.py' pytest.mark.long tests | sort)

test: $(VENV)/.dev ## all tests that need no Docker engine, but for the long ones
	$(BIN)/python -m pytest -m "not e2e and not slow and not long" $(EACH_CORE) -p no:rerunfailures
	$(BIN)/python -m pytest -m "slow and not e2e" $(EACH_CORE) $(ONCE_MORE) $(SLOW)

test-long: $(VENV)/.dev ## the long ones: benchmarks, and the demo from training to upgrade; about 3 minutes
	$(BIN)/python -m pytest -m long $(EACH_CORE) $(ONCE_MORE) $(LONG)

# --strict: a package that the advisory database does not know is a failure, and not a silent pass.
audit: $(VENV)/bin/python ## known vulnerabilities in what constraints.txt installs; asks PyPI's advisories
	@$(PIP) install --quiet -c constraints.txt pip-audit
	$(BIN)/pip-audit --strict --requirement constraints.txt --disable-pip --no-deps --progress-spinner off

simulate: $(VENV)/.dev ## simulate faults on MINUTES=2 of seeds from FROM=random; prints the seed that fails and how to replay it
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.simulation --minutes $(or $(MINUTES),2) --from $(or $(FROM),$$(od -An -N3 -tu4 /dev/urandom | tr -d ' '))

faults: $(VENV)/.dev ## hurt real servers and processes in RUNS=200 seeded runs, from SEED=... on; about 10 minutes
	$(BIN)/python -m tests.faults --runs $(or $(RUNS),200) $(if $(SEED),--seed $(SEED))

soak: $(VENV)/.dev ## use a real service as everybody does for MINUTES=10: memory flat, every id answered once
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.dev ## measure against peers; JSON in benchmarks/results/
	$(BIN)/python -m benchmarks.clusterer --quick --json benchmarks/results/clusterer.json
	$(BIN)/python -m benchmarks.serving --quick --json benchmarks/results/serving.json
	$(BIN)/python -m benchmarks.durability --quick --json benchmarks/results/durability.json

discovery: $(VENV)/.dev ## measure discovery on real data beside its peers, in DATA=folder; hours; JSON in benchmarks/results/
	$(BIN)/python -m benchmarks.discovery --data $(or $(DATA),data) --json benchmarks/results/discovery.json

e2e: $(VENV)/.dev ## docker compose up, stream, restart both containers, find the same clusters
	@docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1 || { echo "make e2e needs a running Docker engine with compose v2: install and start one (https://docs.docker.com/engine/install), until 'docker info' and 'docker compose version' both work. Nothing was tested."; exit 1; }
	$(BIN)/python -m pytest -m e2e tests/e2e

constraints: $(VENV)/bin/python ## resolve constraints.txt anew from pyproject.toml
	@$(PIP) install --quiet uv
	@# torch's own metadata pins its CUDA packages exactly, and the CPU build has none: they do not belong here.
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra onnx --extra telemetry --extra text --no-emit-index-url --no-header --no-annotate pyproject.toml \
	  | grep -vE '^(nvidia|cuda|triton)-?' > constraints.tmp && mv constraints.tmp constraints.txt

clean: ## remove the environment and caches; bundles and data folders stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	rm -rf service/clustering/kernels/__pycache__
