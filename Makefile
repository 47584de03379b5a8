# The commands of README.md. Everything lives in .venv and build/; `make clean` removes both.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help train test test-torch vision resnet last-layer coverage lint docs results cost bitstream-test formal mutants fuzz clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "zipsgd needs Python 3.11 or newer; point to one with 'make PYTHON=python3.12 ...'"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[sim,plot]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.train

# The wheel of PyTorch for processors alone, where the index has one: some 200 MB
$(VENV)/.torch: pyproject.toml | $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,torch]' torch==2.13.0
	@touch $@ $(VENV)/.test $(VENV)/.train

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@ $(VENV)/.train

train: $(VENV)/.train  ## train California housing through the virtual board
	$(BIN)/zipsgd train cadata --backend sim --bits 4 --report build/train

test: $(VENV)/.test  ## the whole test suite (a quarter of an hour; WORKERS=4 on more cores)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-torch: $(VENV)/.torch  ## the tests of zipsgd.torch, with PyTorch (a minute)
	$(BIN)/python -m pytest tests/networks

coverage: $(VENV)/.test  ## the tests once more: lines of Python they run, bits of the datapath that toggle (a quarter of an hour)
	rm -rf build/coverage
	$(BIN)/coverage run -m pytest --toggles build/coverage/toggles; tests=$$?; \
		$(BIN)/coverage combine --quiet && $(BIN)/python tests/coverage/report.py && exit $$tests

lint: $(VENV)/.test  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs  ## the documentation as a site, in build/docs; first the pages that are made from the sources
	$(BIN)/python -m zipsgd.protocol.registers_page > docs/registers.md
	$(BIN)/python tests/components/write_table.py
	$(BIN)/python -m zipsgd_bench.boards_page
	$(BIN)/python -m zipsgd_hw.verilog.page docs/verilog.md
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html -d build/doctrees docs build/docs
	@echo "open build/docs/index.html"

BENCHES := identity cycles draws unbiased device-quantiser convergence one-draw schedule wire link usb faults recovery simulation emulator levels nearest-levels packing less-data quality classes \
	losses momentum automatic-step guard scaling stream refetch one-pass resident predictions shards gateware sdram netlists fuzz files

results: $(VENV)/.test  ## run every bench (some two hours) and keep what it measured in docs/results
	for bench in $(BENCHES); do $(BIN)/zipsgd bench $$bench --out docs/results || exit 1; done

vision: $(VENV)/.torch  ## ZipML's claim on deep networks: CIFAR-10, 139 MB to fetch (some three hours; goes on where it was stopped)
	$(BIN)/zipsgd bench vision --out docs/results

resnet: $(VENV)/.torch  ## ResNet-20 on CIFAR-10 with a few levels (two hours; goes on where it was stopped)
	$(BIN)/zipsgd bench resnet --out docs/results

last-layer: $(VENV)/.torch  ## the last layer of a network, trained on the device (half an hour; goes on where it was stopped)
	$(BIN)/zipsgd bench last-layer --out docs/results

cost: $(VENV)/.test  ## cells of each optional part, placed (twenty minutes)
	$(BIN)/zipsgd bench cost --out docs/results

bitstream-test: $(VENV)/.test  ## train on bitstreams taken apart (ten minutes; needs icebox_vlog: apt-get install fpga-icestorm)
	$(BIN)/zipsgd bench bitstream --out docs/results

formal: $(VENV)/.test  ## prove the properties of docs/trust.md, and break each proof (some minutes)
	$(BIN)/python tests/formal/run.py --out docs/results

mutants: $(VENV)/.test  ## change the gateware in hundreds of places, and see a test fail for each (a quarter of an hour)
	$(BIN)/python tests/mutants/run.py --jobs $(WORKERS) --out docs/results

fuzz: $(VENV)/.test  ## coverage-guided fuzzing of the host's parsers, a minute each (needs a Python that atheris has a wheel for)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	mkdir -p build/fuzz
	for parser in frames identification levels model csv npy npz libsvm; do \
		$(BIN)/python tests/fuzz/parsers.py $$parser -max_total_time=60 -artifact_prefix=build/fuzz/ || exit 1; done

clean:  ## remove the virtual environment and all that was built
	rm -rf $(VENV) build
