# Two commands on a fresh machine: `make demo` and `make test`. Everything is installed into .venv beside this file.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SEED ?= 7

export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1

.PHONY: demo test test-all lint bench install debian clean

demo: install debian
	$(BIN)/sage demo --seed $(SEED)

# As many tests at once as there are processors, up to four: most of them wait for processes that start.
test: install debian lint
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-all: install debian lint
	$(BIN)/python -m pytest -m "slow or not slow" --timeout 3600

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/sage bench bus

install: $(INSTALLED)

# silero-vad asks for torchaudio, which it needs only for its Python side; its model file is all that is used here.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[models,voice,train,plots,dev]"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps silero-vad
	touch $@

# What speaks is a program of its own. Without it everything works in text, and says so.
debian:
	@command -v espeak-ng >/dev/null && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "installing espeak-ng (speech output)"; \
	  { apt-get install -y -qq espeak-ng || { apt-get update -qq && apt-get install -y -qq espeak-ng; }; } >/dev/null 2>&1 \
	    || echo "espeak-ng could not be installed: everything works in text; for speech: apt-get install espeak-ng"; \
	else \
	  echo "espeak-ng is missing: everything works in text; for speech: sudo apt-get install espeak-ng"; \
	fi

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
