# `make` lists the targets. Only Go, git and make are needed (make race: a C
# compiler as well); the linter is built from tools/go.mod the first time.

TOOL    := go tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE    ?= $(shell TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
BINARY  ?= bin/hstockbot
PACKAGE ?= ./...

.DEFAULT_GOAL := help
.PHONY: help test race torture torture-kills torture-matrix torture-copies torture-model torture-fuzz torture-soak torture-mutants cover bench lint fmt fmt-check tidy-check vet build release demo browser pictures ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## run all tests (PACKAGE=./bot for one package)
	go test $(PACKAGE)

race: ## run them in random order under the race detector
	.ci/race $(PACKAGE)

KILLS     ?= 1000
STOPS     ?= 50
FROZEN    ?= 130s
CLOCK     ?= 16
MATRIX    ?= all
COPIES    ?= 200
PURCHASES ?= 200
STORIES   ?= 1000
FUZZ      ?= 5m
SOAK      ?= 30m
MUTANTS   ?= 30m
LONG      := -count=1 -v -timeout=90m

torture: torture-kills torture-matrix torture-copies torture-model torture-fuzz torture-soak ## all of the following but for torture-mutants, which print their figures

# The clock is set on SQLite only: on PostgreSQL a program stands by whose clock differs from the server's.
torture-kills: ## kill the program under load (KILLS=1000), stop it (STOPS=50), freeze it (FROZEN=130s) and set its clock (CLOCK=16), on PostgreSQL, too, but for the clock (KILLS: a fifth)
	HSTOCKBOT_TEST_KILLS=$(KILLS) HSTOCKBOT_TEST_STOPS=$(STOPS) HSTOCKBOT_TEST_FROZEN=$(FROZEN) HSTOCKBOT_TEST_CLOCK=$(CLOCK) \
		go test ./internal/app -run='^Test(Killed|Restarted|Frozen|ClockSet)UnderLoad$$' $(LONG)
	TEST_DATABASE=postgres HSTOCKBOT_TEST_KILLS=$$(($(KILLS) / 5)) HSTOCKBOT_TEST_STOPS=$(STOPS) HSTOCKBOT_TEST_FROZEN=$(FROZEN) \
		.ci/postgres go test ./internal/app -run='^Test(Killed|Restarted|Frozen)UnderLoad$$' $(LONG)

torture-matrix: ## kill it at each commit, call and change of a file, on SQLite and PostgreSQL (MATRIX=purchase: one scenario)
	HSTOCKBOT_TEST_MATRIX='$(MATRIX)' .ci/postgres go test ./internal/app -run='^TestKilled(Everywhere|WhileWritingFiles)$$' $(LONG)
	TEST_DATABASE=postgres HSTOCKBOT_TEST_MATRIX='$(MATRIX)' .ci/postgres go test ./internal/app -run='^TestKilledEverywhere$$' $(LONG)

torture-copies: ## kill and stop three copies on PostgreSQL while people buy, 20 times (COPIES=200, a tenth), and its server
	TEST_DATABASE=postgres HSTOCKBOT_TEST_KILLS=$(COPIES) .ci/postgres go test ./internal/app -run='^TestCopiesKilledUnderLoad$$' $(LONG)
	HSTOCKBOT_TEST_PURCHASES=$(PURCHASES) .ci/postgres go test ./internal/app ./internal/orders -run='^(TestFailoverUnderLoad|TestLostPurchasesUnderLoad)$$' $(LONG)

torture-model: ## play random stories against a model of the whole bot (STORIES=1000)
	go test ./handlers -run='^TestModel$$' -rapid.checks=$(STORIES) $(LONG)

torture-fuzz: ## give random input to all that reads what comes from outside (FUZZ=5m for each)
	listed=$$(go test -list='^Fuzz' ./...) && echo "$$listed" | \
		awk '/^Fuzz/ { names[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, names[i]; n = 0 }' | \
		while read -r package name; do go test $$package -run='^$$' -fuzz="^$$name$$" -fuzztime=$(FUZZ) -fuzzminimizetime=5s || exit 1; done

torture-soak: ## a thousand people, faults and restarts: what the program uses (SOAK=30m)
	HSTOCKBOT_TEST_SOAK=$(SOAK) go test ./internal/app -run='^TestSoak$$' $(LONG)

torture-mutants: ## change the code that handles money, a random part of it, and list what no test notices (MUTANTS=30m, 0: all, in hours)
	go -C tools run ./mutate -budget=$(MUTANTS) \
		-files='^internal/(orders|outbox)/|^internal/hstock/(answer|call|client|hold|purchase)\.go|^storage/(purchase|ledger)' \
		./internal/orders ./internal/outbox ./internal/hstock ./storage

cover: ## run them and print what is covered, function by function
	@mkdir -p bin
	go test -coverpkg=./... -coverprofile=bin/cover.out $(PACKAGE)
	go tool cover -func=bin/cover.out

bench: ## run the benchmarks only
	go test -run='^$$' -bench=. -benchmem $(PACKAGE)

lint: vet ## go vet, golangci-lint with the import rules, and no sleeping in tests outside of bubbles
	@for file in $$(grep -rl --include='*_test.go' 'time\.Sleep' .); do \
		grep -qs '"testing/synctest"' $$(dirname $$file)/*_test.go || \
		{ echo "a test may sleep only in a synctest bubble: $$file" >&2; exit 1; }; \
	done
	$(TOOL) golangci-lint run $(PACKAGE)

vet: ## go vet
	go vet $(PACKAGE)

fmt: ## format the code (gofumpt)
	$(TOOL) gofumpt -w .

fmt-check: ## fail if the code is not formatted
	@changed=$$($(TOOL) gofumpt -l .) || exit 1; \
	if [ -n "$$changed" ]; then echo "run make fmt for: $$changed" >&2; exit 1; fi

tidy-check: ## fail if go.mod or go.sum is not tidy
	go mod tidy -diff

# The binary depends on the source, the version, the commit and its date, and on nothing else.
build: ## build the static binary (BINARY=bin/hstockbot)
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -o $(BINARY) \
		-ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)' .

release: ## build what is released: archives for all platforms, SBOMs and checksums, into dist/
	bash .ci/release

demo: ## try the bot against the pretend marketplace and Telegram
	go run . demo

browser: ## install the browser that the tests of the demo's page drive (Debian, as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium

pictures: ## take the pictures in docs/ anew; look at them, they want fonts (CONTRIBUTING.md)
	go test ./internal/sandbox/web -count=1 -v -run '^TestBrowser$$/^(pictures|before the money|after the money|basket|shop|picture of spending|inline queries)$$' -pictures '$(CURDIR)/docs'

ci: ## everything that must pass before a change is taken
	bash .ci/run
