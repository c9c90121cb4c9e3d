# Clara: the commands people type. `make launch` and `make test` need nothing done beforehand.
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=
WITH_CLARA := source setup.bash

.PHONY: help setup build launch demo test lint docs sbom bench fuzz drill train pretrain clean
.DEFAULT_GOAL := help

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: ## set up what is missing: venv, ROS 2, llama.cpp, the model
	@$(PYTHON) tools/set_up.py

build: setup ## build the workspace with colcon
	@source tools/ros_env.bash && .venv/bin/python tools/build.py

launch: build ## start Clara; ARGS="demo:=true log_level:=debug" are launch arguments
	@$(WITH_CLARA) && exec ros2 launch clara_brain clara.launch.py $(ARGS)

demo: build ## watch Clara talk with a simulated robot for a minute
	@$(WITH_CLARA) && exec ros2 run clara_demo demo --launch $(ARGS)

train: build ## make a Clara of your own: all stages of training; ARGS="--spec my_spec.json --base smollm2"
	@$(PYTHON) tools/set_up.py --training
	@$(WITH_CLARA) && exec clara-train run $(ARGS)

pretrain: build ## make MVLM and SIM-ONE from scratch; ARGS="--data_dir my_texts --max_steps 240"
	@$(PYTHON) tools/set_up.py --training
	@$(WITH_CLARA) && exec clara-train pretrain-all $(ARGS)

test: build ## test every package, then the tools
	@$(PYTHON) tools/set_up.py --training --docs
	@$(WITH_CLARA) && tools/test.bash $(ARGS)

lint: build ## check style, types, headers and package files
	@$(PYTHON) tools/set_up.py --lint
	@$(WITH_CLARA) && tools/lint.bash

docs: build ## make the documentation site in build/site; open build/site/index.html
	@$(PYTHON) tools/set_up.py --docs
	@$(WITH_CLARA) && NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet $(ARGS)

sbom: build ## list what Clara is installed with, in build/sbom, and check the licences
	@$(PYTHON) tools/set_up.py --training
	@.venv/bin/python -m venv build/sbom_venv
	@build/sbom_venv/bin/pip install -q --disable-pip-version-check -c constraints.txt -r requirements/sbom.txt
	@build/sbom_venv/bin/python tools/sbom.py --python .venv/bin/python $(ARGS)

bench: build ## measure what the documents quote and needs no GPU; hours
	@$(PYTHON) tools/set_up.py --training
	@$(WITH_CLARA) && bench/all.bash $(ARGS)

fuzz: build ## 10,000 malformed requests at every door; ARGS="--only chat --requests 500"
	@$(WITH_CLARA) && exec python bench/drill/fuzz.py $(ARGS)

drill: build ## bad days: kills, a full disk, floods...; ARGS="--minutes 5 --only kill disk"
	@$(WITH_CLARA) && exec python bench/drill $(ARGS)

clean: ## remove what was built (the venv stays: rm -rf .venv)
	rm -rf build install log tools/ros2_on_pip/build
