# `make` alone lists the targets. Everything they need is installed below .venv and .tools, once.

PYTHON ?= python3
GO ?= go
NPM ?= npm
ARGS ?=
DATA ?=
SIZE ?=

# Generators of the Go code, as old as allows Go 1.23; clients/go needs libraries at least as new.
PROTOC_GEN_GO := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6
PROTOC_GEN_GO_GRPC := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
# Renders the chart.
HELM_MODULE := helm.sh/helm/v3/cmd/helm@v3.22.0

VENV := .venv
BIN := $(VENV)/bin
BUF := .tools/proto-venv/bin/buf
PIP_INSTALL := -m pip install --quiet

CREATED := $(VENV)/.created
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
PROTO_PYTHON := .tools/proto-venv/.installed
PROTO_GO := .tools/bin/.installed-$(notdir $(PROTOC_GEN_GO))-$(notdir $(PROTOC_GEN_GO_GRPC))
PROTO_NODE := .tools/protogen/.installed
HELM := .tools/bin/helm
MANIFESTS := .tools/bin/manifests
PROTO_TOOLS := $(PROTO_PYTHON) $(PROTO_GO) $(PROTO_NODE)
NODE_MODULES := clients/typescript/node_modules/.package-lock.json

TYPED := $(wildcard server/quipu_server clients/python/quipu bench docs/examples tests) $(wildcard tools/*.py)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONNOUSERSITE := 1
export BUF_CACHE_DIR := $(CURDIR)/.tools/buf-cache
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Environments

$(CREATED):
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): pyproject.toml clients/python/pyproject.toml $(CREATED)
	$(BIN)/python $(PIP_INSTALL) --editable clients/python --editable .
	@touch $@

$(DEV): pyproject.toml clients/python/pyproject.toml $(CREATED)
	$(BIN)/python $(PIP_INSTALL) --editable clients/python --editable '.[dev]'
	@touch $(RUNTIME) $@

$(PROTO_PYTHON): tools/protogen/requirements.txt
	$(PYTHON) -m venv --clear .tools/proto-venv
	.tools/proto-venv/bin/python $(PIP_INSTALL) --requirement $<
	@touch $@

$(PROTO_GO):
	GOBIN=$(CURDIR)/.tools/bin $(GO) install $(PROTOC_GEN_GO)
	GOBIN=$(CURDIR)/.tools/bin $(GO) install $(PROTOC_GEN_GO_GRPC)
	@touch $@

$(PROTO_NODE): tools/protogen/package.json tools/protogen/package-lock.json tools/protogen/.npmrc
	@mkdir -p $(@D)
	cp $^ $(@D)/
	cd $(@D) && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(NODE_MODULES): clients/typescript/package.json clients/typescript/package-lock.json
	cd clients/typescript && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(HELM):
	GOBIN=$(CURDIR)/$(@D) $(GO) install $(HELM_MODULE)

# Built in its own module, with what go.sum pins.
$(MANIFESTS): tools/manifests/main.go tools/manifests/go.mod tools/manifests/go.sum
	cd tools/manifests && $(GO) build -o $(CURDIR)/$@ .

.PHONY: setup
setup: $(DEV) $(PROTO_PYTHON) ## Install the server, the Python client and the tools of development

# Running

.PHONY: serve
serve: $(RUNTIME) ## Start the server; ARGS='--port 50051' passes options on
	$(BIN)/quipu serve $(ARGS)

# Testing

.PHONY: test
test: test-python test-go test-node test-scenarios ## Run every test

.PHONY: test-python
test-python: $(DEV) $(PROTO_PYTHON) $(HELM) $(MANIFESTS) ## Run the tests of the server and the Python client; ARGS='-k search' passes options on
	$(BIN)/python -m pytest $(ARGS)

.PHONY: test-fast
test-fast: $(DEV) $(HELM) $(MANIFESTS) ## Run the unit and contract tests: under a minute
	$(BIN)/python -m pytest tests/unit tests/contract $(ARGS)

.PHONY: test-long
test-long: export QUIPU_STEPS ?= 10000
test-long: export QUIPU_TEST_SECONDS ?= 60
test-long: $(DEV) ## Let spaces live 10,000 steps at random, and servers and databases be killed for minutes
	$(BIN)/python -m pytest -s tests/integration/test_long_life.py tests/faults $(ARGS)

.PHONY: test-faults
test-faults: $(DEV) ## Break database, network, clients, files and clocks, and show what held; QUIPU_TEST_SECONDS=60 takes longer
	$(BIN)/python -m pytest -q -p tests.faults.table tests/faults tests/integration/test_failover.py tests/integration/test_tls.py $(ARGS)

.PHONY: test-go
.PHONY: test-node
ifneq ($(wildcard clients/go/go.mod),)
test-go: $(RUNTIME) ## Vet and test the Go client
	cd clients/go && $(GO) vet ./... && $(GO) test ./...
else
test-go:
	@echo 'clients/go does not exist yet'
endif

ifneq ($(wildcard clients/typescript/package.json),)
test-node: $(RUNTIME) $(NODE_MODULES) ## Build and test the TypeScript client
	cd clients/typescript && $(NPM) run build && $(NPM) test
else
test-node:
	@echo 'clients/typescript does not exist yet'
endif

CLIENT_MODULES := $(if $(wildcard clients/typescript/package.json),$(NODE_MODULES))

.PHONY: test-scenarios
test-scenarios: $(DEV) $(CLIENT_MODULES) ## Play clients/scenarios through every client; ARGS='python go' chooses
	$(BIN)/python -m tests.scenarios $(ARGS)

.PHONY: try-packages
try-packages: $(DEV) $(CLIENT_MODULES) ## Install the package of each client in an empty folder, and use it there
	$(BIN)/python -m tests.packaging

# Checking

.PHONY: check
check: $(DEV) proto-check ## Check style, types, layers, versions and generated code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/python tools/check_versions.py
	$(BIN)/python tools/sources.py --check

.PHONY: format
format: $(DEV) $(PROTO_PYTHON) ## Format Python, Go and the protos
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BUF) format --write
	$(if $(wildcard clients/go/go.mod),cd clients/go && $(GO) fmt ./...)

# Protos

.PHONY: proto
proto: $(PROTO_TOOLS) ## Generate the code of all clients from proto/
	tools/generate

.PHONY: proto-check
proto-check: $(PROTO_TOOLS) ## Lint the protos, compare with the last release and with the generated code
	tools/check_protos
	tools/generate --check

.PHONY: proto-release
proto-release: $(PROTO_PYTHON) ## Make the protos the API that later ones are compared with; part of a release
	$(BUF) build --exclude-source-info --output proto/released.binpb

# Measuring and documenting

.PHONY: bench
bench: $(DEV) ## Measure speed on this machine; ARGS passes options on
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-spaces
bench-spaces: $(DEV) ## Measure a thousand spaces in memory for fifty; ARGS='--spaces 1000 --room 50' changes that
	$(BIN)/python -m bench.spaces $(ARGS)

.PHONY: bench-guard
bench-guard: $(DEV) ## Measure what the guard costs for each text, beside its embedding
	$(BIN)/python -m bench.guard $(ARGS)

.PHONY: bench-fairness
bench-fairness: $(DEV) ## Measure searches of one tenant alone, and beside the bulk load of another
	$(BIN)/python -m bench.fairness $(ARGS)

.PHONY: bench-soak
bench-soak: $(DEV) ## Load a server with 32 clients for 10 minutes, then give up 10,000 searches; ARGS='--minutes 1'
	$(BIN)/python -m bench.soak $(ARGS)

.PHONY: bench-model-change
bench-model-change: $(DEV) ## Change the model of a space of 20,000 memories while 8 clients search; ARGS='--memories 2000'
	$(BIN)/python -m bench.model_change $(if $(DATA),--data $(DATA)) $(ARGS)

.PHONY: bench-capacity
bench-capacity: $(DEV) ## Measure what a memory takes in PostgreSQL, in memory and on disk
	$(BIN)/python -m bench.capacity $(ARGS)

.PHONY: bench-quality
bench-quality: $(DEV) ## Measure retrieval on the data sets in DATA=folder
	$(if $(DATA),,$(error bench-quality needs DATA=folder))
	$(BIN)/python -m bench.quality --data $(DATA) $(ARGS)

.PHONY: client-overhead
client-overhead: $(DEV) $(CLIENT_MODULES) ## Measure what each client costs over its generated stub
	$(BIN)/python -m bench.overhead $(ARGS)

.PHONY: lines
lines: $(DEV) ## Count the lines of code that somebody wrote, by place and language
	$(BIN)/python tools/sources.py

.PHONY: bench-scale
bench-scale: $(DEV) ## Measure a large space: SIZE=200000 sets how large, DATA=folder brings real texts
	$(BIN)/python -m bench.scale $(if $(SIZE),--size $(SIZE)) $(if $(DATA),--data $(DATA)) $(ARGS)

.PHONY: docs
docs: $(PROTO_PYTHON) $(RUNTIME) $(HELM) ## Write what is made from code: references of API, metrics, settings; manifests
	$(BUF) build --as-file-descriptor-set --output .tools/api.binpb
	.tools/proto-venv/bin/python tools/api_reference.py .tools/api.binpb > docs/api.md
	$(BIN)/python tools/metrics_reference.py
	$(BIN)/python tools/settings_reference.py
	$(BIN)/python tools/plain_manifest.py

.PHONY: clean
clean: ## Remove everything that was installed or built
	rm -rf $(VENV) .tools build dist server/*.egg-info clients/python/*.egg-info clients/python/build
	rm -rf .ruff_cache clients/typescript/node_modules clients/typescript/dist
	find server clients/python tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
