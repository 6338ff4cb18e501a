# `make demo` shows the whole chain at work, `make page` opens it to a browser, `make test` runs lint, types and every test.
# All first make .venv with python3.11 (or PYTHON=...) and install the pinned requirements, for tests those of
# requirements-dev.txt too; again where those change.

PYTHON ?= python3.11
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPING := $(VENV)/.installed-dev
SERVING := $(VENV)/.installed-web
GPEN := ./test_tipc/configs/GPEN/train_infer_python.txt
MODE := lite_train_lite_infer
# A test file runs in one process, files beside each other; PARALLEL= runs all in one process.
PARALLEL ?= -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
MODEL ?=
CHAIN ?= lite

.PHONY: demo page test check lint mutate tipc pictures venv clean
.DEFAULT_GOAL := demo

demo: export PATH := $(BIN):$(PATH)
demo: venv
	bash test_tipc/prepare.sh $(GPEN) $(MODE)
	bash test_tipc/test_train_inference_python.sh $(GPEN) $(MODE)
	python tools/demo.py
	python tools/plot_run.py test_tipc/output/norm_train_gpus_0_autocast_fp32 --output results/demo/training.png

page: $(SERVING)
	$(BIN)/python serve.py

test: lint
	$(BIN)/python -m pytest $(PARALLEL)

check: lint
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

lint: $(DEVELOPING)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

mutate: $(DEVELOPING)
	$(BIN)/python -m tests.mutate

tipc: export PATH := $(BIN):$(PATH)
tipc: venv
	python -m test_tipc.suite $(MODEL) --chain=$(CHAIN)

pictures: venv
	$(BIN)/python tools/make_lite_data.py
	$(BIN)/python tools/make_pictures.py
	$(BIN)/python tools/plot_run.py docs/runs --output docs/pictures/curves.png

venv: $(INSTALLED)

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "error: '$(PYTHON)' is not Python 3.11 to 3.13; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	@touch $@

$(DEVELOPING): $(wildcard requirements-*.txt) $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements-dev.txt
	@touch $@

$(SERVING): requirements-web.txt requirements-photos.txt $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements-web.txt --requirement requirements-photos.txt
	@touch $@

# What runs leave behind; trained runs (runs/, ckpts/, samples/) and .venv stay.
clean:
	rm -rf lite_data test_tipc/output results .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
