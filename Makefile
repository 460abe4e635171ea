# make demo   a real OpenStack on this machine, the first runbooks against it, and their reports
# make test-host  the runbooks of hosts on a real one: a Debian guest in QEMU, built once (root, some minutes) and kept
# make test-debian  the runbooks on OpenStack as Debian packages it, in a container with its own systemd, built once (root, some minutes)
# make test   everything that must hold, a file of tests on each of two cores; installs what it needs (apt packages as root or through sudo)
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
unexport PYTHONDONTWRITEBYTECODE # images that set it would have each of the many processes compile all that it imports

.PHONY: help demo test test-host test-debian lint types unit system env docs samples bench fuzz guided tempest clean

help:
	@sed -n 's/^# //p' Makefile

env: $(READY)

$(READY): pyproject.toml
	@echo "making $(VENV) (about a minute the first time)"
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found: $$($(PYTHON) --version)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv && $(BIN)/uv pip install --python $(BIN)/python -e '.[test]' \
	  || $(BIN)/python -m pip install --disable-pip-version-check -e '.[test]'
	@touch $@

demo: env
	@$(BIN)/python scripts/demo.py

test: system env lint types unit

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env
	$(BIN)/mypy

unit: env
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

test-host: env
	@sh scripts/system-packages.sh scripts/guest-packages.txt
	$(BIN)/python -m pytest tests/guest -rs --durations=5 $(PYTEST)

test-debian: env
	@sh scripts/system-packages.sh scripts/debian-packages.txt
	$(BIN)/python -m pytest tests/debian -rs --durations=5 $(PYTEST)

system:
	@sh scripts/system-packages.sh
	@sh scripts/unpack-packages.sh

docs: env
	$(BIN)/python scripts/reference.py

samples: env
	$(BIN)/python -m scripts.samples

bench: env
	$(BIN)/python -m benchmarks

fuzz: env
	$(BIN)/python -m tests.migration.fuzz $(or $(SECONDS_EACH),600)

guided: env
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python -m tests.migration.guided $(or $(SECONDS_EACH),3600)

tempest: env
	$(BIN)/python tests/tempest/run.py

clean:
	rm -rf $(VENV) workspace build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
