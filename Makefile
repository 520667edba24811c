# make demo: real failovers, three ways to look after a service.  make test: everything.  Both set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint types executable configmaps docs bench soak clean

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/ready dist/hacheck ## Break a service three times in three ways, and watch its virtual IP move (needs root)
	@sh tests/system-packages.sh demo
	@$(BIN)/python tests/failover/demo.py

test: $(VENV)/ready dist/hacheck ## Run every test against real servers (TESTS=, WORKERS=)
	@sh tests/system-packages.sh test
	@$(BIN)/python -m tests.image
	$(BIN)/python -m tests.alone $(BIN)/python -m tests.run $(TESTS)

fuzz: $(VENV)/ready ## Give every parser 100,000 inputs, and hypothesis examples of no former run (INPUTS=, TARGETS=); with atheris where it is installed
	$(BIN)/python -m tests.fuzz.run --inputs $(or $(INPUTS),100000) $(TARGETS)
	$(if $(TARGETS),,$(BIN)/python -m pytest --quiet -m hypothesis --hypothesis-profile=searching)

lint: $(VENV)/ready ## Check style and shell
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/ready ## Check types
	$(BIN)/mypy

executable: dist/hacheck ## Build the one file, dist/hacheck

dist/hacheck: $(VENV)/ready $(shell find hachecks -name '*.py' -o -name '*.sh' -o -name '*.txt')
	$(BIN)/python -m hachecks.executable.build

configmaps: dist/hacheck ## Write the complete ConfigMap to dist/
	$(BIN)/python -m hachecks.executable.configmap

docs: $(VENV)/ready ## Write the generated parts of docs/
	$(BIN)/python -m docs.generate

bench: $(VENV)/ready dist/hacheck ## Compare instruction counts with the peers'
	@sh tests/system-packages.sh bench
	@missed=; for one in bench bench_exporter bench_plan bench_agent bench_failover; do \
		$(BIN)/python tests/$$one.py || missed="$$missed $$one"; \
	done; [ -z "$$missed" ] || { echo "missed:$$missed" >&2; exit 1; }

soak: $(VENV)/ready dist/hacheck ## Kill agents, servers and Keepaliveds 1,000 times, and look (KILLS=, SEED=)
	@sh tests/system-packages.sh demo
	@$(BIN)/python tests/failover/soak.py --kills $(or $(KILLS),1000) $(if $(SEED),--seed $(SEED))

$(VENV)/ready: pyproject.toml tests/system-packages.sh
	@sh tests/system-packages.sh python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean: ## Remove what was made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
