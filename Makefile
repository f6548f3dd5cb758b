# `make` lists the targets. Python 3.11 or newer is all they need: each builds and fills .venv by itself, and does
# so again only when pyproject.toml or constraints.txt changes. The directory .venv belongs to this file. The distribution
# was once called secagent: what is installed of it in .venv goes.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help compare bench test test-long test-slow test-llm test-pages test-replay mutants lint docs wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile
	@echo "ARGS='…' goes to the command behind compare, bench, mutants and the tests; PYTHON=… names the interpreter."

compare: .venv/.compare ## the main job: compare the solvers on random instances (installs no torch)
	$(BIN)/secagent compare $(ARGS)

bench: .venv/.compare ## the speed figures of the README
	$(BIN)/secagent bench $(ARGS)

test: .venv/.dev ## all tests but those of the other targets
	$(BIN)/pytest -n auto $(ARGS)

test-long: .venv/.dev ## the tests of whole commands and trainings
	$(BIN)/pytest -n auto -m "long and not slow" $(ARGS)

test-slow: .venv/.dev ## the tests marked slow
	$(BIN)/pytest -n auto -m slow $(ARGS)

test-llm: .venv/.local ## the whole path with a small language model, which is fetched, and its servers, which are built
	$(BIN)/pytest -m llm $(ARGS)

test-pages: .venv/.dev ## what the documentation's pages and notebooks show happens
	$(BIN)/pytest -n auto -m pages $(ARGS)

test-replay: .venv/.dev ## the tables of language models in the documentation, from their recordings
	$(BIN)/pytest -n auto -m replay $(ARGS)

mutants: .venv/.dev ## change formulas one at a time: which changes does no test notice? (up to two hours)
	$(BIN)/python tests/mutation/mutants.py $(ARGS)

lint: .venv/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.dev ## build these pages as a site, into docs/_build
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build

wheel: .venv/.dev ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean: ## remove .venv, dist and all caches
	rm -rf .venv dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. `.complete` is absent while .venv is being changed: a run that was interrupted leaves it absent,
# and the next one starts from an empty .venv. `.compare` and `.dev` say which extras are installed.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "secagent needs Python 3.11 or newer, but $(PYTHON) says '$$($(PYTHON) -V 2>&1)': name another one, as in 'make PYTHON=python3.12 $(MAKECMDGOALS)'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@if [ ! -e .venv/.complete ]; then rm -rf .venv && $(PYTHON) -m venv .venv; fi
	@rm -f .venv/.complete .venv/.compare .venv/.dev .venv/.local
	@$(BIN)/python -m pip uninstall --quiet --yes secagent 2>/dev/null || true
	@echo "Installing secagent-env[$(extras)] into .venv; this happens once and can take a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(extras)]' -c constraints.txt
	@touch .venv/.complete
endef

.venv/.compare: extras := solvers,llm,eval
.venv/.compare: pyproject.toml constraints.txt
	$(install)
	@touch $@

.venv/.dev: extras := dev
.venv/.dev: pyproject.toml constraints.txt
	$(install)
	@touch .venv/.compare $@

# llama-cpp-python is built from its source, with llama.cpp's own server beside its libraries. A build for the processor at
# hand (GGML_NATIVE) crashes on some, so it is one for those since 2013. pip keeps the wheel in its cache.
.venv/.local: export CMAKE_ARGS ?= $(if $(filter x86_64,$(shell uname -m)),$(X86_ARGS)) -DLLAVA_BUILD=OFF \
  -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_SERVER=ON -DLLAMA_TOOLS_INSTALL=ON -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
  -DCMAKE_INSTALL_BINDIR=llama_cpp/lib -DCMAKE_INSTALL_LIBDIR=llama_cpp/lib -DCMAKE_INSTALL_RPATH=$$ORIGIN
X86_ARGS := -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON
.venv/.local: extras := dev,local
.venv/.local: pyproject.toml constraints.txt
	@command -v $${CXX:-c++} >/dev/null || { \
	  echo "make test-llm builds servers of language models, and the C++ compiler $${CXX:-c++} is missing (Debian, Ubuntu: apt-get install g++)." >&2; exit 1; }
	$(install)
	@touch .venv/.compare .venv/.dev $@
