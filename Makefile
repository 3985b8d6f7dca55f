# Everything that this repository can do. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GO         ?= go
BIN        := bin
DATA       ?= .pingvas
PACKAGES   ?= ./...
ITERATIONS ?= 1s
ROUND      ?= 1s
EVENTS     ?= 1000000
IMAGES     ?= 1000000
KILLS      ?= 300
SEEDS      ?= 100000
STEPS      ?= 1000000
SEED       ?= 0
FUZZTIME   ?= 10s
SAMPLE     ?= 0

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: run
run: build ## build and run everything on embedded parts: http://127.0.0.1:8080
	$(BIN)/pingvas dev --data $(DATA)

.PHONY: demo
demo: build ## drive the main job through the API, step by step, and verify the ledger
	$(BIN)/pingvas demo

.PHONY: build
build: web ## build the binary with the web app
	$(GO) build -o $(BIN)/pingvas ./cmd/pingvas

# Without npm the binary still builds: it then serves the API alone and says so.
.PHONY: web
web: ## build the web app, where npm is installed
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web/dist/index.html; \
	else echo 'npm is not installed: building without the web app'; fi

WEB_SOURCES := $(shell find web/src web/public web/index.html web/package.json web/vite.config.ts -type f 2>/dev/null)

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --silent
	@touch $@

.PHONY: test
test: test-go test-web ## run all tests: real Postgres and the real Kafka protocol, nothing to set up

.PHONY: test-go
test-go: web ## run the Go tests
	$(GO) test $(PACKAGES)

.PHONY: test-web
test-web: ## run the tests of the web app, where npm is installed
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web/node_modules/.package-lock.json && \
		cd web && npm test --silent; else echo 'npm is not installed: the web app is not tested'; fi

.PHONY: race
race: ## run the Go tests under the race detector
	$(GO) test -race $(PACKAGES)

# A lease of 12 s makes pauses that outlast the sessions of Kafka's groups, too. SEED=0 draws one and prints it.
.PHONY: crash
crash: ## kill and pause every process at random under load, KILLS times, and check that nothing is lost
	$(GO) test -count=1 -v -timeout 28m ./internal/crash -kills $(KILLS) -seed $(SEED) -lease 12s

.PHONY: model
model: ## send STEPS random commands to two processes on one Postgres and compare all with a model: SEED=4711 draws much the same
	$(GO) test ./commands -count=1 -timeout 0 -v -run TestModel -steps=$(STEPS) -seed=$(SEED)

.PHONY: simulate
simulate: ## break everything around the write path in virtual time: SEEDS=100000, or one again: SEED=4711
	$(GO) test ./internal/simulation -count=1 -timeout 0 -run TestSeeds -seeds=$(SEEDS) -seed=$(SEED) $(if $(filter-out 0,$(SEED)),-v)

.PHONY: mutate
mutate: ## change the domain in one place at a time: the tests must notice; SAMPLE=100 SEED=2 tries some
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/mutate ./internal/mutate
	$(BIN)/mutate -sample $(SAMPLE) -seed $(or $(filter-out 0,$(SEED)),1) -report $(BIN)/mutants.txt ./domain/...

# A target is any function FuzzX(*testing.F). Its seeds run with the tests; here it looks for more. Without a bound on
# making inputs small, little else would happen.
FUZZ_FLAGS := -fuzztime $(FUZZTIME) -fuzzminimizetime 100x

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for dir in $$(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go | cut -d ' ' -f 2); do \
			echo "$$dir $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" $(FUZZ_FLAGS) ./$$dir; \
		done; done

.PHONY: e2e
e2e: build ## use the page of an instance of its own in headless Chromium, with screenshots in bin/e2e
	web/e2e/instance.sh $(BIN)/pingvas $(BIN)/e2e

.PHONY: lint
lint: $(BIN)/staticcheck web ## check formatting, vet, staticcheck, generated files and the web app's types
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not formatted: make fmt'; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(BIN)/staticcheck ./...
	@if command -v npm >/dev/null; then cd web && npm run --silent lint; fi

$(BIN)/staticcheck: internal/tools/go.mod
	cd internal/tools && $(GO) build -o ../../$(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck

.PHONY: fmt
fmt: ## format the Go code
	gofmt -w $$(git ls-files '*.go')

.PHONY: generate
generate: ## write generated files anew
	$(GO) generate ./...

.PHONY: bench
bench: build ## run the micro-benchmarks, then the ledger and the API against their baselines, raw appends, read models, replay and cold start
	$(GO) test -run '^$$' -bench . -benchtime $(ITERATIONS) -benchmem \
		./domain/account ./eventstore/... ./projections/...
	$(BIN)/pingvas bench ledger --clients 64,512 --round $(ROUND) --log-level warn
	$(BIN)/pingvas bench rest --round $(ROUND) --log-level warn
	$(BIN)/pingvas bench raw --round $(ROUND) --log-level warn
	$(BIN)/pingvas bench bulk --round $(ROUND) --log-level warn
	$(BIN)/pingvas bench share --round $(ROUND) --log-level warn
	$(BIN)/pingvas bench views --images $(IMAGES) --own $$(( $(IMAGES) / 20 )) --log-level warn
	$(BIN)/pingvas bench replay --events $(EVENTS) --log-level warn
	$(BIN)/pingvas bench cold --events $(EVENTS) --log-level warn

.PHONY: clean
clean: ## remove what was built; data stay
	rm -rf $(BIN) web/dist/* web/node_modules
