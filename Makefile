# Needs Python 3.11 or newer with venv, and make. Everything else is installed into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := requirements/dev.txt
PYTEST := SECRET_KEY=for-tests-only PYTEST_DEBUG_TEMPROOT=var $(BIN)/python -m pytest
# Keep the caches of these tools in the checkout, not in the home directory.
export UV_CACHE_DIR := $(CURDIR)/var/cache/uv
export npm_config_cache := $(CURDIR)/var/cache/npm
export MAVEN_OPTS := -Dmaven.repo.local=$(CURDIR)/var/cache/maven -XX:-UsePerfData $(MAVEN_OPTS)
export MPLCONFIGDIR := $(CURDIR)/var/cache/matplotlib
# Tests with processes mostly wait for them.
ACROSS := $(PYTEST) tests -p no:django -n 2 --dist loadfile
KAFKA  := var/kafka
TOX    := $(BIN)/tox run-parallel --parallel 2 --parallel-no-spinner -c common/pyproject.toml
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
NODE   := tests/rig/node/node_modules

.DEFAULT_GOAL := help
.PHONY: help setup demo docs test test-common test-product test-notification test-audit test-e2e test-real test-versions faults screenshots kafka bench lint format lock translations clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(VENV)/.installed | var ## Make .venv and install the locked requirements

$(VENV)/.installed: $(LOCK) common/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked requirements into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable common
	@touch $@

var:
	@mkdir -p $@

demo: setup ## Run the three services, Kafka, the relay and both workers
	@exec $(BIN)/python -m demo

test: setup lint docs test-common test-product test-notification test-audit test-e2e ## Run every check and every test

test-common: setup
	$(PYTEST) common/tests --ds=common.tests.settings
	$(PYTEST) common/servicekit --ds=common.servicekit.tests.settings
test-product: setup
	$(PYTEST) product_service --ds=product_service.settings
test-notification: setup
	$(PYTEST) notification_service --ds=notification_service.settings
test-audit: setup
	$(PYTEST) audit_service --ds=audit_service.settings
test-e2e: setup
	$(ACROSS)

test-real: setup kafka $(NODE)/.installed ## Test on Apache Kafka and PostgreSQL (needs Java 17, Maven, PostgreSQL, Node)
	$(ACROSS) --real
test-versions: setup ## Test the library on the oldest and newest versions it supports (needs Python 3.13, PostgreSQL)
	$(TOX)
	$(BIN)/python -m tests.rig.on_postgres $(TOX) -e lowest,newest
faults: setup kafka ## Run only the fault tests, and write their table into docs/reliability.md
	$(PYTEST) tests/faults -p no:django --real --fault-table docs/reliability.md

screenshots: setup ## Take the documentation's screenshots with the explorer's tests
	$(PYTEST) tests/test_explorer.py -p no:django --screenshots docs/images

kafka: $(KAFKA)/.installed ## Download the jars of Apache Kafka

$(KAFKA)/.installed: docker/kafka/pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || \
		{ echo "Java 17 and Maven are needed: apt-get install openjdk-17-jre-headless maven" >&2; exit 1; }
	@rm -rf $(KAFKA)/libs
	@mvn -q -B -f docker/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(KAFKA)/libs
	@touch $@

$(NODE)/.installed: tests/rig/node/package-lock.json
	@command -v npm >/dev/null || { echo "Node is needed: apt-get install nodejs npm" >&2; exit 1; }
	@npm ci --silent --prefix tests/rig/node
	@touch $@

docs: setup ## Build the documentation into var/docs; broken links are errors
	$(BIN)/python -m sphinx -q -E -W --keep-going -b html docs var/docs

bench: setup kafka ## Run all benchmarks (25 minutes), and write docs/performance.md (needs PostgreSQL)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/bench.txt
	$(BIN)/python -m benchmarks --keep

lint: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy demo benchmarks tests
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## Compile requirements/*.in to *.txt (UPGRADE=1 for newer versions)
	@for name in build base prod docs dev bench; do \
		$(COMPILE) --universal --python-version 3.11 requirements/$$name.in --output-file requirements/$$name.txt; \
	done
	@$(COMPILE) --universal --python-version 3.11 --group common/pyproject.toml:tools --output-file requirements/tools.txt
	@$(COMPILE) --python-version 3.11 --resolution lowest-direct common/pyproject.toml --extra postgres --extra testing \
		--group common/pyproject.toml:tests --output-file requirements/lowest.txt

translations: setup ## Compile the translations (*.po to *.mo)
	$(BIN)/pybabel compile --domain=django --directory=notification_service/notifications/locale

clean: ## Remove .venv, the demo's databases and caches
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
