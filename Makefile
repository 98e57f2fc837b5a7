# The single entrance. `make` alone prints this help; every target is one script of scripts/.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test soak bench lint format clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building and running need (asks before apt; a second run takes seconds)
	@scripts/setup

build: setup ## the debug build
	@scripts/build --product tss

demo: build ## see one trace kept, one dropped, and why, end to end
	@.build/debug/tss demo

test: ## everything that CI checks, set-up included; `scripts/test --list` shows the stages
	@scripts/test

soak: ## the long tests
	@scripts/soak

bench: ## the measurements, each with its bar; PEER=collector measures the Collector beside them
	@PEER=$(PEER) scripts/bench

lint: ## layout, scripts, pinned lists, manifest
	@scripts/lint

format: ## lay out every Swift file
	@scripts/format

clean: ## remove builds; what set-up installed stays
	@rm -rf .build .native-*
