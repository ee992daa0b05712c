# Every target sets up what it needs itself, so that `make demo` and `make test` work on a fresh machine.

SHELL := bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where `make demo` puts its nodes: namespaces or docker.
BACKEND ?= namespaces
ifeq ($(filter $(BACKEND),namespaces docker),)
$(error BACKEND: got '$(BACKEND)', expected namespaces or docker)
endif

# Further arguments for pytest: make test ARGS='-k chat -x'
ARGS ?=

BIN := .venv/bin
SET_UP := .venv/set-up.stamp

# Labs need root: the machine's, or that of a user namespace.
AS_ROOT := setup/as-root

# Starts a Docker engine where none answers, for as long as the command after it runs.
WITH_ENGINE := $(AS_ROOT) $(BIN)/python -m netlab.docker.engine

# tool:package[:service], see setup/packages
LAB_TOOLS := ip:iproute2 iptables:iptables ipset:ipset nft:nftables conntrack:conntrack sysctl:procps \
    ping:iputils-ping tcpdump:tcpdump
DOCKER_TOOLS := dockerd:docker.io mmdebstrap:mmdebstrap \
    /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
# Other people's STUN clients; of coturn we want the clients and not the server.
STUN_CLIENTS := stun:stun-client turnutils_stunclient:coturn:coturn.service
# Another ICE agent, by the system's Python and GObject introspection.
ICE_AGENTS := /usr/lib/$(shell uname -m)-linux-gnu/girepository-1.0/Nice-0.1.typelib:gir1.2-nice-0.1 \
    /usr/lib/python3/dist-packages/gi/__init__.py:python3-gi
# A home router's UPnP IGD, NAT-PMP and PCP; this package brings no service along.
GATEWAYS := miniupnpd:miniupnpd-nftables
# What the benchmark of labs builds the same labs with.
PEER_LABS := mn:mininet

.PHONY: help demo demo-namespaces demo-docker test lab lint types bench clean lab-tools docker-tools stun-clients ice-agents gateways peer-labs

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 14

demo: demo-$(BACKEND) ## two peers behind two NATs meet and chat (BACKEND=namespaces or docker)

demo-namespaces: $(SET_UP) lab-tools
	@$(AS_ROOT) $(BIN)/netlab demo --backend namespaces

demo-docker: $(SET_UP) lab-tools docker-tools
	@$(WITH_ENGINE) $(BIN)/netlab demo --backend docker

test: $(SET_UP) lab-tools docker-tools stun-clients ice-agents gateways peer-labs ## every test, with labs in namespaces and in Docker (ARGS=... for pytest)
	@$(WITH_ENGINE) $(BIN)/python -m pytest $(ARGS)

lab: $(SET_UP) lab-tools docker-tools gateways peer-labs ## only the tests that run in labs (ARGS=... for pytest)
	@$(WITH_ENGINE) $(BIN)/python -m pytest tests/lab $(ARGS)

lint: $(SET_UP) ## style, formatting and the direction of imports
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/lint-imports --no-logo

types: $(SET_UP) ## types, strictly
	@$(BIN)/mypy

# Each benchmark ends with 1 where it misses a target, and the others run nonetheless.
bench: $(SET_UP) lab-tools docker-tools stun-clients peer-labs ## how fast and how surely: paths beside aioice, all pairs, recovery, checks, trials, hard pairs, labs
	@missed=; \
	for name in time_to_path direct_pairs recovery discovery trials lab_times hard_pairs; do \
	    runner=$$([ $$name = lab_times ] && echo '$(WITH_ENGINE)' || echo '$(AS_ROOT)'); \
	    echo "== $$name"; $$runner $(BIN)/python -m benchmarks.$$name; code=$$?; \
	    [ $$code != 130 ] || exit 130; [ $$code = 0 ] || missed+=" $$name"; \
	done; \
	if [ -n "$$missed" ]; then echo "missed a target:$$missed" >&2; exit 1; fi

clean: ## remove leftover labs, the environment, caches and the images of our own Docker engine
	@if [ -x $(BIN)/netlab ]; then $(AS_ROOT) $(BIN)/netlab clean || [ $$? = 3 ]; fi # 3: we have no root, so no labs
	@if [ ! -e /run/netlab-engine/docker.sock ]; then $(AS_ROOT) rm -rf --one-file-system /var/lib/netlab-engine; fi
	@$(AS_ROOT) rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	@$(AS_ROOT) find . -name __pycache__ -prune -exec rm -rf {} +

$(SET_UP): pyproject.toml
	@setup/environment
	@touch $@

lab-tools:
	@setup/packages $(LAB_TOOLS)

docker-tools:
	@setup/packages $(DOCKER_TOOLS)

stun-clients:
	@setup/packages $(STUN_CLIENTS)

ice-agents:
	@setup/packages $(ICE_AGENTS)

gateways:
	@setup/packages $(GATEWAYS)

peer-labs:
	@setup/packages $(PEER_LABS)
