"""Hostile bytes for the simulated accelerator: the plan for ``fuzz_board.cpp``, and what it found."""

import json
import random
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from zipsgd.golden.levels import table_words
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.run import model_words, step_registers
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import CREDIT_OVERHEAD, MAX_PAYLOAD, READ_WORDS, Kind
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import REGISTERS, WINDOWS, Control, Register, registers_of
from zipsgd.protocol.run import Loss
from zipsgd_hw.link.word_bus import ADDRESS_BITS

from .designs import Design, rtl
from .random_runs import random_run
from .verilate import board_executable

__all__ = ["FuzzFinding", "FuzzReport", "fuzz"]

_RUNS = 12
"""Training runs with known results, used in turn."""
_COUNTERS = ("frames_bad", "frames_skipped")


@dataclass(frozen=True)
class FuzzFinding:
    """Something that went wrong.

    Parameters
    ----------
    burst : int
        Number of the burst.
    what : str
        What went wrong.
    sent : bytes
        The bytes sent since the burst began.
    """

    burst: int
    what: str
    sent: bytes = field(repr=False)


@dataclass(frozen=True)
class FuzzReport:
    """What a run of the fuzzer did and found.

    Parameters
    ----------
    counts : dict of str to int
        Bursts, frames, cycles and more, by name.
    findings : list of FuzzFinding
        What went wrong; empty if nothing did.
    """

    counts: dict[str, int]
    findings: list[FuzzFinding]


def _send(kind: Kind, payload: bytes) -> str:
    return f"send {kind:d} x{payload.hex()}"


def _write(address: int, words: Sequence[int]) -> Iterator[str]:
    most = MAX_PAYLOAD // 4 - 1
    for start in range(0, len(words), most):
        part = [word & 0xFFFF_FFFF for word in words[start : start + most]]
        yield _send(Kind.WRITE, struct.pack(f"<I{len(part)}I", address + start, *part))


def _write_register(name: str, word: int) -> Iterator[str]:
    return _write(REGISTERS[name].address, [word])


def _fence(address: int, words: Sequence[int | None]) -> Iterator[str]:
    """Reads that must give ``words``; None stands for any word."""
    for start in range(0, len(words), READ_WORDS):
        part = [
            "*" if word is None else str(word & 0xFFFF_FFFF) for word in words[start : start + READ_WORDS]
        ]
        payload = struct.pack("<II", address + start, len(part))
        yield f"ask {Kind.FENCE:d} x{payload.hex()} {len(part)} {' '.join(part)}"


def _run(build: Build, rng: random.Random) -> Iterator[str]:
    """A random run, as docs/link.md describes it, with the golden model's results."""
    run = random_run(build, rng, bytes_limit=1500)
    config = run.config
    levels = config.levels
    golden = GoldenTrainer(build, run.model, config, seed=run.seed)
    yield from _write_register("control", Control.ABORT)
    for name, word in config.registers().items():
        yield from _write_register(name, word)
    if levels is not None:
        yield from _write(WINDOWS["level_window"].address, table_words(levels, build))
    if config.polynomial is not None:
        yield from _write(WINDOWS["coefficient_window"].address, config.polynomial.window_words(build))
    if config.diagonal is not None:
        yield from _write(WINDOWS["variance_window"].address, config.diagonal.words.tolist())
    yield from _write(WINDOWS["model_window"].address, model_words(run.model, build).tolist())
    for number, (samples, step) in enumerate(zip(run.epochs, run.steps, strict=True)):
        golden.start_epoch(number)
        for name, word in step_registers(step).items():
            yield from _write_register(name, word)
        for word in reversed(seed_words(run.seed, number, build.update_lanes)):
            yield from _write_register("seed", word)
        yield from _write_register("control", Control.CLEAR | Control.LOAD)
        yield from _write_register("samples", samples.order.size)
        loss = 0
        for codes in samples.blocks(config, samples.order.size):
            loss += golden.epoch(codes, step)
            data = weave(codes, config.layout(build)).tobytes()
            for start in range(0, len(data), MAX_PAYLOAD):
                yield _send(Kind.SAMPLES, data[start : start + MAX_PAYLOAD])
        results = {
            "status": 0,
            "flags": golden.flags,
            "loss_low": loss,
            "loss_high": loss >> 32,
            "samples_done": samples.order.size,
        }
        yield from _fence(REGISTERS["status"].address, list(results.values()))
        yield from _fence(WINDOWS["model_window"].address, model_words(golden.master, build).tolist())


def _access(register: Register, constants: dict[str, int]) -> str:
    if register.name in constants:
        return "constant"
    if register.name in _COUNTERS:
        return "counter"
    return {"r": "result", "rw": "word", "s": "setting", "w": "command"}[register.access]


def _plan(build: Build, seed: int) -> Iterator[str]:
    """Lines of the program's input: the contract's numbers, the registers by address, and the runs."""
    constants = {
        **build.as_dict(),
        **{kind.name.lower(): kind.value for kind in Kind},
        **{name: REGISTERS[name].address for name in ("features", "heads_used", "control", *_COUNTERS)},
        "start": REGISTERS["samples"].address,
        "abort": Control.ABORT,
        "overhead": CREDIT_OVERHEAD,
        "max_payload": MAX_PAYLOAD,
        "read_words": READ_WORDS,
        **{name: window.address for name, window in WINDOWS.items()},
        "address_mask": (1 << ADDRESS_BITS) - 1,
        "m_max": build.m_max,
        "last_loss": Loss.POLYNOMIAL_RESIDUAL
        if build.polynomial
        else Loss.SQUARED_HINGE
        if build.hinge
        else 0,
    }
    yield from (f"constant {name} {int(value)}" for name, value in constants.items())
    identity = identification(build)
    there = registers_of(build)
    for register in REGISTERS.values():
        access = _access(register, identity) if register.name in there else "constant"
        yield f"register {access} {register.width} {identity.get(register.name, 0)}"
    rng = random.Random(seed)
    for _ in range(_RUNS):
        yield "run"
        yield from _run(build, rng)


def fuzz(
    build: Build,
    frames: int,
    *,
    seed: int = 1,
    design: Design | None = None,
    optimise: int = 3,
    progress: Callable[[str], None] = lambda message: None,
) -> FuzzReport:
    """Send valid, mutated and random frames to a simulated accelerator.

    After each burst of up to 40 frames, the device must answer a SYNC and reads of all registers and of the model in a bounded
    number of cycles, and must hold only what valid frames may have written. Every 200 bursts, a training run must give the
    golden model's bits. ``fuzz_board.cpp`` says what is compared.

    Parameters
    ----------
    build : Build
        The build.
    frames : int
        Least number of frames.
    seed : int
        Seed of runs and bytes.
    design : Design or None
        Simulate this design, which must have the ports of ``build``; None for the gateware.
    optimise : int
        Optimisation level of the C++ compiler, 0 to 3.
    progress : callable
        Called with a line before a compilation begins.

    Returns
    -------
    FuzzReport
        What it did and found.

    Raises
    ------
    BuildFailed
        The program could not be compiled.
    """
    program = board_executable(
        build, design=design or rtl(build), program="fuzz_board", optimise=optimise, progress=progress
    )
    done = subprocess.run(
        [str(program), "--frames", str(frames), "--seed", str(seed)],
        input="\n".join(_plan(build, seed)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    findings = [
        FuzzFinding(finding["burst"], finding["what"], bytes.fromhex(finding["sent"]))
        for finding in report.pop("findings")
    ]
    return FuzzReport(report, findings)
