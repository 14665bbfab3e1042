# Everything here is run as root on a Debian machine, and may be repeated.
.PHONY: help install-deps demo test dockers guest check bench clean
.DEFAULT_GOAL := help
BIN := .venv/bin

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

install-deps:  ## Install Debian packages and .venv (the others do it themselves)
	@lab/prepare.sh

demo: install-deps  ## Show the main job on a real Docker; KEEP=1 leaves the lab up
	$(BIN)/python -m lab.demo $(if $(KEEP),--keep)

test: check dockers guest  ## Run all checks and tests; ARGS='-k name' for some, ARGS='--docker 26.1' on another Docker
	$(BIN)/pytest $(ARGS)

dockers: install-deps  ## Unpack the Docker of other Debian releases, for the tests
	@lab/dockers.sh

guest: install-deps  ## Make the image of the tests' guest, a machine in QEMU with Debian's own kernel (minutes, once)
	$(BIN)/python -m lab.guest

check: install-deps  ## Check format, style, types and directions of import
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install-deps  ## Measure, as ratios against Docker's own drivers
	$(BIN)/python -m bench
	$(BIN)/python -m bench.flows

clean:  ## Remove .venv, caches, and what killed labs left
	test ! -x $(BIN)/moorage-lab || $(BIN)/moorage-lab clean
	rm -rf .venv .*_cache .coverage .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
