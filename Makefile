# Everything a newcomer needs: make setup, make demo, make test, make run.
SHELL = /bin/sh
VENV = .venv
PY = $(VENV)/bin/python
STAMP = $(VENV)/.installed

.PHONY: help setup demo run test test-long test-scale check bench screenshots lock clean

help:
	@echo "make setup       build the environment in $(VENV)"
	@echo "make demo        refresh from small built-in publishers with invented figures, and query the result"
	@echo "make run         refresh from the live publishers into ./data"
	@echo "make test        run the test suite"
	@echo "make test-long   the long tests: hundreds of kills, big files"
	@echo "make test-scale  the chain on Postgres, Redis, two Celery workers and an S3 server"
	@echo "make check       formatting, lint, types, and contracts against the last release"
	@echo "make bench       measure speed and memory"
	@echo "make screenshots take the images of the README from a fresh demo (needs Chromium)"
	@echo "make lock        resolve requirements.lock again"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@sh bin/setup $(VENV)
	@touch $(STAMP)

demo: $(STAMP)
	@$(VENV)/bin/clusterbridge demo

run: $(STAMP)
	@$(VENV)/bin/clusterbridge refresh

test: $(STAMP) check
	@sh bin/browser
	$(PY) -m pytest -n 2 --dist loadfile -m "not long and not scale"

test-long: $(STAMP)
	$(PY) -m pytest -m long

test-scale: $(STAMP)
	@sh bin/scale-services
	$(PY) -m pytest -m scale -x tests/airflow

check: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PY) -m tools.contracts_check

bench: $(STAMP)
	$(PY) -m bench

screenshots: $(STAMP)
	@sh bin/browser
	$(PY) tests/site/screenshots.py

# Index addresses in the environment would steer the resolver silently, so they are left out.
lock:
	env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_EXTRA_INDEX_URL \
	  uv pip compile --universal --generate-hashes --no-emit-index-url --all-extras --upgrade \
	  pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
