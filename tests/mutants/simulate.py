"""Runs a bench's tests on one simulator again and again, each time with another mutant."""

import contextlib
import os
import subprocess
import sys
import time
import xml.etree.ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cocotb_tools.config
import find_libpython
from schemata import CHOICE_FILE

__all__ = ["Run", "Simulator"]


@dataclass(frozen=True)
class Run:
    """The result of a run.

    Attributes
    ----------
    failed : str
        The first test that failed, or ``crash`` or ``time``; empty if all tests passed.
    message : str
        The first line of its message.
    seconds : float
        Duration of the run.
    """

    failed: str
    message: str
    seconds: float


def _outcome(folder: Path) -> tuple[str, str]:
    """What failed, and its message."""
    results = folder / "results.xml"
    if not results.exists():
        return "crash", "the simulator left no results"
    try:
        cases = list(xml.etree.ElementTree.parse(results).iter("testcase"))
    except xml.etree.ElementTree.ParseError:
        return "crash", "the simulator left no whole results"
    for case in cases:
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                text = found.get("error_msg") or found.get("message") or found.text or ""
                return case.get("name", ""), text.strip().partition("\n")[0]
    if not any(case.find("skipped") is None for case in cases):
        raise RuntimeError(f"no test ran, see {folder / 'test.log'}")
    return "", ""


class Simulator:
    """A simulator that is started once and forks for each run.

    Parameters
    ----------
    program : Path
        The simulator, from :func:`zipsgd_sim.cocotb_runner.build_simulator`.
    bench : Path
        The file with the cocotb tests.
    parameters : mapping of str to str or int
        What the tests read in ``cocotb.plusargs``.
    folder : Path
        Folder for the files of the runs.
    """

    def __init__(self, program: Path, bench: Path, parameters: Mapping[str, str | int], folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        answers, told = os.pipe()
        libraries = cocotb_tools.config.libs_dir
        environment = {
            **os.environ,
            "COCOTB_LOG_LEVEL": "WARNING",
            "COCOTB_MAX_FAILURES": "1",
            "COCOTB_RANDOM_SEED": "1",
            "COCOTB_RESULTS_FILE": "results.xml",
            "COCOTB_REWRITE_ASSERTION_FILES": "",
            "COCOTB_TEST_MODULES": f"forks,{bench.stem}",
            "COCOTB_TOPLEVEL": "dut",
            "COCOTB_TRUST_INERTIAL_WRITES": "1",
            "GPI_USERS": f"{find_libpython.find_libpython()};{cocotb_tools.config.pygpi_entry_point()}",
            "PATH": f"{os.environ['PATH']}{os.pathsep}{libraries}",
            "PYGPI_PYTHON_BIN": sys.executable,
            "PYTHONPATH": os.pathsep.join(
                [str(bench.parent), str(Path(__file__).parent), *filter(None, sys.path)]
            ),
            "TOPLEVEL_LANG": "verilog",
            "ZIPSGD_ANSWERS": str(told),
            "ZIPSGD_BENCH": bench.stem,
        }
        self._log = (folder / "server.log").open("w")
        self._process = subprocess.Popen(
            [program, *(f"+{name}={value}" for name, value in parameters.items())],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            cwd=folder,
            env=environment,
            pass_fds=[told],
            text=True,
        )
        os.close(told)
        self._answers = os.fdopen(answers)

    def run(self, number: int, limit: float) -> Run:
        """Runs the tests with mutant ``number``. A run of more than ``limit`` seconds counts as failed."""
        folder = self._folder / "run"
        folder.mkdir(exist_ok=True)
        (folder / "results.xml").unlink(missing_ok=True)
        (folder / CHOICE_FILE).write_text(f"{number:x}\n")
        assert self._process.stdin is not None
        begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{folder}\t{limit}\n")
            self._process.stdin.flush()
        answer = self._answers.readline().strip()
        seconds = time.monotonic() - begun
        match answer:
            case "ended":
                return Run(*_outcome(folder), seconds)
            case "late":
                return Run("time", f"not done within {limit:.0f} s", seconds)
        log = Path(self._log.name).read_text()[-3000:]
        raise RuntimeError(f"the simulator did not start; its log ends:\n{log}")

    def __enter__(self) -> "Simulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()
