"""A short training run for the testbenches in this folder: what a host sends, and what the golden model answers.

You learn how a run becomes bytes on the link, and words on the ports of the core. What comes out are files in the folder that
you name, which the testbenches read: `run.vh` with numbers, and `.hex` files with bytes and words. The run is for the build
that `zipsgd build --verilog` makes by default.
"""

import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from zipsgd import Build, RunConfig
from zipsgd.driver.coding import encode
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes, quantise
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.golden.weave import weave
from zipsgd.protocol.frames import CREDIT_OVERHEAD, Frame, Kind
from zipsgd.protocol.registers import REGISTERS, WINDOWS, Control
from zipsgd_hw.datapath.config import run_layout
from zipsgd_sim.run_word import run_word

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "build/verilog")
ROWS, EPOCHS, FEATURES, SEED = 16, 2, 11, 1
BUILD = Build()
RUN, STEP = RunConfig(FEATURES, p=2, m=2, batch=4), Step.nearest(0.1 / 4)
MODEL = WINDOWS["model_window"].address


class Host:
    """Frames to the device, and those that it answers with data. An ACK depends on timing, so none is expected here."""

    def __init__(self) -> None:
        self.sent, self.answers, self._number, self._room = bytearray(2), bytearray(), 0, BUILD.rx_bytes

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        self.sent += encode(Frame(kind, self._number, payload))
        self._number += 1
        self._room -= CREDIT_OVERHEAD + len(payload)
        if self._room < 0 or self._number > 64:
            sys.exit("this run is too long for a host that waits for no ACK: see docs/link.md, Credit")

    def write(self, address: int, *words: int) -> None:
        self.send(Kind.WRITE, struct.pack(f"<{1 + len(words)}I", address, *words))

    def set(self, name: str, *words: int) -> None:
        self.write(REGISTERS[name].address, *words)

    def fence(self, address: int, expected: list[int]) -> None:
        """Ask for words once the datapath is idle."""
        self.answers += encode(Frame(Kind.DATA, self._number, struct.pack(f"<{len(expected)}I", *expected)))
        self.send(Kind.FENCE, struct.pack("<II", address, len(expected)))


def unsigned(words: Iterable[int], bits: int) -> list[int]:
    return [int(word) & (1 << bits) - 1 for word in words]


def write_hex(name: str, words: Iterable[int]) -> None:
    (FOLDER / name).write_text("".join(f"{word:x}\n" for word in words))


def samples(epoch: int) -> Codes:
    rng = np.random.default_rng(epoch)
    values = np.column_stack([rng.uniform(-1, 1, (ROWS, FEATURES - 1)), np.ones(ROWS)])  # with the intercept
    labels = (values @ np.linspace(-1, 1, FEATURES) * 2**12).astype(np.int16)  # in units of 2^-15
    return quantise(values, labels, RUN.p, RUN.m, seed=SEED, epoch=epoch, rows=range(ROWS))


host = Host()
host.send(Kind.SYNC)
host.set("control", Control.ABORT)
host.set(
    "features", FEATURES, RUN.p, RUN.m, RUN.batch, 0, 0, 0
)  # to label_form, in the order of the addresses
host.write(MODEL, *[0] * (BUILD.lanes * BUILD.chunks(FEATURES)))
golden = GoldenTrainer(BUILD, np.zeros(FEATURES), RUN, seed=SEED)
planes: list[int] = []
labels: list[int] = []
seeds: list[int] = []
losses: list[int] = []
for epoch in range(EPOCHS):
    codes = samples(epoch)
    words = list(reversed(seed_words(SEED, epoch, BUILD.update_lanes)))
    data = weave(
        codes, RUN.layout(BUILD)
    )  # of each sample two bytes of label, then its planes, a byte for 8 lanes
    golden.start_epoch(epoch)
    loss = golden.epoch(codes, STEP) & (1 << 64) - 1
    host.set("step_mantissa", STEP.mantissa, STEP.exponent)
    for word in words:
        host.set("seed", word)
    host.set("control", Control.CLEAR | Control.LOAD)
    host.set("samples", ROWS)
    host.send(Kind.SAMPLES, data.tobytes())
    host.fence(REGISTERS["flags"].address, [golden.flags, loss & 0xFFFFFFFF, loss >> 32, ROWS])
    planes += data[:, 2:].ravel().tolist()
    labels += unsigned(codes.labels, 16)
    seeds += words
    losses.append(loss)
host.fence(MODEL, unsigned(golden.master, 32))

FOLDER.mkdir(parents=True, exist_ok=True)
write_hex("sent.hex", host.sent)
write_hex("answers.hex", host.answers)
write_hex("planes.hex", planes)
write_hex("labels.hex", labels)
write_hex("seeds.hex", seeds)
write_hex("losses.hex", losses)
write_hex("model.hex", unsigned(golden.master, 32))
run = run_word(BUILD, RUN, STEP)
numbers = {
    "SENT_BYTES": len(host.sent),
    "ANSWER_BYTES": len(host.answers),
    "EPOCHS": EPOCHS,
    "SAMPLES": ROWS,
    "FEATURES": FEATURES,
    "PLANES": len(planes),
    "LABELS": len(labels),
    "SEEDS": len(seeds) // EPOCHS,
    **{
        f"RUN_{str(name).upper()}": run >> field.offset & (1 << field.width) - 1
        for name, field in run_layout(BUILD)
    },
}
text = "".join(f"localparam {name} = {value};\n" for name, value in numbers.items())
(FOLDER / "run.vh").write_text(f"// Written by make_run.py\n{text}")
print(f"wrote run.vh and 7 files of words into {FOLDER}")
