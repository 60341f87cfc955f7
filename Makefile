# Every target sets up what it needs. Set PYTHON to use another interpreter (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo test newest soak check bench gpu docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,check]'
	touch $(STAMP)

demo: setup  ## a prompt becomes a picture, with the shipped weights
	$(BIN)/nodegraph run graphs/glide/text_to_image.yaml --out out

test: setup  ## a process for each core, of one thread: the tensors of the tests are small
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q --numprocesses auto --dist loadscope

newest:  ## the unit tests under the newest Python that is at hand, in an environment of its own
	@for python in python3.15 python3.14 python3.13 python3.12; do \
	  $$python -c "" 2>/dev/null || continue; \
	  echo "with $$($$python --version)"; \
	  $$python -m venv $(VENV)-newest && \
	  $(VENV)-newest/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test]' && \
	  OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(VENV)-newest/bin/python -m pytest -q --numprocesses auto tests/unit; \
	  exit $$?; \
	done; echo "there is no Python newer than 3.11 here"

soak: setup  ## what takes long: many kills, many random cases
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q -m soak

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/checks.py

gpu: setup  ## the shipped models on a card beside the CPU; what was seen is added to out/gpu.txt
	mkdir -p out
	status=0; $(BIN)/python benchmarks/gpu.py --out out/gpu.txt || status=1; \
	$(BIN)/python -m pytest -q -m gpu tests/gpu || status=1; exit $$status

docs: setup  ## the reference of nodes and diagnostics and the picture of the house, from what is installed, and the site
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_architecture.py
	$(BIN)/nodegraph schema --out graph.schema.json
	$(BIN)/mkdocs build --quiet
	@echo "the site: site/index.html"

clean:
	rm -rf $(VENV) out site
