"""Hostile bytes for the simulated accelerator: what ``fuzz_board.cpp`` is told, and what it found."""

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
from zipsgd.protocol.formats import Build, Loss
from zipsgd.protocol.frames import CREDIT_OVERHEAD, MAX_PAYLOAD, READ_WORDS, Kind
from zipsgd.protocol.registers import (
    REGISTERS,
    WINDOWS,
    Control,
    Register,
    identification,
    registers_of,
)

from .designs import Design
from .random_runs import random_run
from .verilate import board_executable

__all__ = ["FuzzFinding", "FuzzReport", "fuzz"]

_RUNS = 12
"""Training runs with known results, which take turns."""
_COUNTERS = ("frames_bad", "frames_skipped")


@dataclass(frozen=True)
class FuzzFinding:
    """What went wrong in which burst, and the bytes sent from its beginning on."""

    burst: int
    what: str
    sent: bytes = field(repr=False)


@dataclass(frozen=True)
class FuzzReport:
    """``counts``: of bursts, frames, cycles and what became of them, by name."""

    counts: dict[str, int]
    findings: list[FuzzFinding]


def _send(kind: Kind, payload: bytes) -> str:
    return f"send {kind:d} x{payload.hex()}"


def _write(address: int, words: Sequence[int]) -> Iterator[str]:
    most = MAX_PAYLOAD // 4 - 1
    for start in range(0, len(words), most):
        part = [word & 0xFFFF_FFFF for word in words[start : start + most]]
        yield _send(Kind.WRITE, struct.pack(f"<I{len(part)}I", address + start, *part))


def _write_register(name: str, *words: int) -> Iterator[str]:
    return _write(REGISTERS[name].address, words)


def _fence(address: int, words: Sequence[int | None]) -> Iterator[str]:
    """Reads that must give ``words``, where None stands for any."""
    for start in range(0, len(words), READ_WORDS):
        part = [
            "*" if word is None else str(word & 0xFFFF_FFFF) for word in words[start : start + READ_WORDS]
        ]
        payload = struct.pack("<II", address + start, len(part))
        yield f"ask {Kind.FENCE:d} x{payload.hex()} {len(part)} {' '.join(part)}"


def _run(build: Build, rng: random.Random) -> Iterator[str]:
    """A random run as docs/link.md has it, with the golden model's results."""
    run = random_run(build, rng, bytes_limit=1500)
    config = run.config
    levels = config.levels
    golden = GoldenTrainer(
        build,
        run.model,
        seed=run.seed,
        batch=config.batch,
        one_sided=config.one_sided,
        levels=levels,
        loss=config.loss,
        polynomial=config.polynomial,
        refetch=config.refetch,
        one_against_all=config.one_against_all,
    )
    yield from _write_register("control", Control.ABORT)
    yield from _write_register("features", *config.registers().values())
    if levels is not None:
        yield from _write(WINDOWS["level_window"].address, table_words(levels, build))
    if config.polynomial is not None:
        yield from _write(WINDOWS["coefficient_window"].address, config.polynomial.window_words(build))
    yield from _write(WINDOWS["model_window"].address, model_words(run.model, build).tolist())
    for number, (samples, step) in enumerate(zip(run.epochs, run.steps, strict=True)):
        golden.flags = 0  # those of an epoch alone, as the device's
        golden.start_epoch(number)
        yield from _write_register("shrink_shift", *step_registers(step).values())
        for word in reversed(seed_words(run.seed, number, build.update_lanes)):
            yield from _write_register("seed", word)
        yield from _write_register("control", Control.CLEAR | Control.LOAD)
        yield from _write_register("samples", samples.order.size)
        loss = 0
        for codes in samples.blocks(samples.order.size):
            loss += golden.epoch(codes, step)
            data = weave(codes, build.lanes).tobytes()
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
    return {"r": "result", "rw": "config", "w": "command"}[register.access]


def _plan(build: Build, seed: int) -> Iterator[str]:
    """Lines of the program's input: the contract's numbers, the registers by address, the runs."""
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
    """Send at least ``frames`` frames, good, mutated and random, to the simulated accelerator of ``build``.

    After each burst of up to 40, the device must answer a SYNC and reads of all registers and of the model in a bounded number
    of cycles, and hold nothing but what good frames may have written; every 200 bursts, a training run must give the golden
    model's bits. ``fuzz_board.cpp`` says what is compared. Arguments are those of :func:`.board_executable`.

    Raises
    ------
    BuildFailed
        The program could not be compiled.
    """
    program = board_executable(
        build, program="fuzz_board", design=design, optimise=optimise, progress=progress
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
