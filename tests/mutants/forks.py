"""Runs within the simulator, in place of a bench's file: forks for each mutant when all is imported and nothing is simulated.

A simulator takes a second to start, most of it to import cocotb and the bench, and a mutant is often caught within
a tenth of that. It reads a line for each run from its standard input: a folder, and seconds that the run may take. A child
goes on as the simulator, in that folder; the parent answers with ``ended`` or ``late`` and waits for the next line.
"""

import importlib
import os
import signal
import sys
import time

import cocotb.simulator


def _wait(child: int, seconds: float) -> str:
    end = time.monotonic() + seconds
    pause = 0.002
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return "ended"
        time.sleep(pause)
        pause = min(0.05, 1.2 * pause)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "late"


def _exit() -> None:
    sys.stdout.flush()
    os._exit(0)


def _serve() -> None:
    importlib.import_module(os.environ["ZIPSGD_BENCH"])
    answers = os.fdopen(int(os.environ["ZIPSGD_ANSWERS"]), "w")
    for line in sys.stdin:
        folder, seconds = line.rstrip("\n").rsplit("\t", 1)
        sys.stdout.flush()
        child = os.fork()
        if not child:
            os.chdir(folder)
            log = os.open("test.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            # Called when the results are written. The simulator itself would wait for threads that it had before the fork.
            cocotb.simulator.stop_simulator = _exit
            return
        answers.write(_wait(child, float(seconds)) + "\n")
        answers.flush()
    os._exit(0)


_serve()
