# install, demo, test, check: each sets up what it needs in .venv. PYTHON=python3.12 make ... chooses the interpreter.
# Where the package index has a CPU build of torch under another name or address, say so in TORCH.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install demo test check format
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

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
