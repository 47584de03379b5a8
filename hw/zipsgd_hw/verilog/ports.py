"""The ports of the Verilog for designs of one's own: names and meanings, the only place where they are written."""

from dataclasses import dataclass

__all__ = ["CLOCK", "CORE", "STREAMS", "UART", "Port"]


@dataclass(frozen=True)
class Port:
    """A port. Its direction and width are those of the component's member.

    Parameters
    ----------
    name : str
        Name in Verilog.
    member : str
        Path of the component's member, and of a field in it, joined by dots.
    meaning : str
        What the port is for, in a line.
    option : str or None
        The part of a build without which there is no such port: what :meth:`.Build.has` takes, or ``losses``.
    """

    name: str
    member: str
    meaning: str
    option: str | None = None


CLOCK = (
    Port("clk", "clk", "clock; everything happens at its rising edge"),
    Port(
        "rst",
        "rst",
        "synchronous reset, active high; hold it until clk is stable",
    ),
)
"""Clock and reset, which every module has: both are inputs of one bit."""

_UNATTENDED = Port(
    "unattended",
    "unattended",
    "1: at work on its own store, so that it needs no host now; always 0 without one",
)

UART = (
    Port("rx", "rx", "serial line from the host, 8N1; may be asynchronous; 1 when idle"),
    Port("tx", "tx", "serial line to the host"),
    _UNATTENDED,
)
"""The accelerator behind a UART."""

STREAMS = (
    Port("rx_data", "rx.payload", "byte from the host"),
    Port("rx_valid", "rx.valid", "1: there is a byte, and it is taken in this cycle"),
    Port(
        "rx_ready",
        "rx.ready",
        "always 1: the protocol keeps the host from sending more than there is room for",
    ),
    Port("tx_data", "tx.payload", "byte to the host"),
    Port("tx_valid", "tx.valid", "1: there is a byte; it stays until tx_ready is 1"),
    Port("tx_ready", "tx.ready", "1: the byte is taken in this cycle"),
    _UNATTENDED,
)
"""The accelerator behind two streams of bytes."""

_RUN = (
    Port("run_last_chunk", "run.last_chunk", "ceil(n / lanes) - 1 for n features, the intercept among them"),
    Port("run_last_lane", "run.last_lane", "(n - 1) mod lanes"),
    Port("run_last_base", "run.last_base", "base planes of a value, p, less one"),
    Port("run_last_plane", "run.last_plane", "planes of a value, p + m, less one"),
    Port("run_up_planes", "run.up_planes", "up planes of a value, m"),
    Port("run_shift", "run.shift", "p_max - p"),
    Port("run_symmetric", "run.symmetric", "1: double sampling in both orders (m = 2)"),
    Port("run_step_mantissa", "run.step_mantissa", "step size / batch = mantissa * 2^-(16 + 4 * exponent)"),
    Port("run_step_exponent", "run.step_exponent", "exponent of the step size"),
    Port("run_last_in_batch", "run.last_in_batch", "samples of a mini-batch, less one"),
    Port("run_intercept", "run.intercept", "no effect here: the core's planes hold all features"),
    Port("run_label_form", "run.label_form", "no effect here: the core's labels are words"),
    Port(
        "run_base_sent", "run.base_sent", "no effect here: the core's planes come as they are", "level_bits"
    ),
    Port("run_refetch", "run.refetch", "refetching register of docs/registers.md", "refetch"),
    Port(
        "run_transcoded", "run.transcoded", "1: each of the m values has base planes of its own", "level_bits"
    ),
    Port("run_loss", "run.loss", "loss register of docs/registers.md; 0: least squares", "losses"),
    Port("run_polynomial", "run.polynomial", "1: the loss is a polynomial", "polynomial"),
    Port("run_degree", "run.degree", "degree of the polynomial", "polynomial"),
    Port("run_reach_shift", "run.reach_shift", "largest reach, less that of the polynomial", "polynomial"),
    Port("run_last_spacing", "run.last_spacing", "fewest cycles between two samples, less one", "polynomial"),
    Port("run_last_head", "run.last_head", "models that are trained side by side, less one", "heads"),
    Port("run_one_against_all", "run.one_against_all", "1: a label is the number of a class", "heads"),
    Port("run_final_chunk", "run.final_chunk", "heads * ceil(n / lanes) - 1", "heads"),
    Port("run_shrink_shift", "run.shrink_shift", "shrink_shift register of docs/registers.md", "prox"),
    Port("run_shrink_rate", "run.shrink_rate", "shrink_rate register", "prox"),
    Port("run_threshold", "run.threshold", "threshold register", "prox"),
    Port("run_bound", "run.bound", "bound register", "prox"),
    Port("run_nonnegative", "run.nonnegative", "nonnegative register", "prox"),
    Port("run_spare_last", "run.spare_last", "spare_last register", "prox"),
    Port("run_ball_square", "run.ball_square", "ball_square register", "ball"),
    Port("run_growth_shift", "run.growth_shift", "growth_shift register", "diagonal"),
    Port("run_growth_range", "run.growth_range", "growth_range register", "diagonal"),
    Port("run_growth_stride", "run.growth_stride", "growth_stride register", "diagonal"),
    Port("run_growth_start", "run.growth_start", "growth_start register", "diagonal"),
)
"""The configuration of a run, constant while busy is 1."""

CORE = (
    *_RUN,
    Port("planes_data", "planes.payload", "a plane of a chunk: a bit for each lane, lane 0 in bit 0"),
    Port("planes_valid", "planes.valid", "1: there is a plane"),
    Port("planes_ready", "planes.ready", "1: a plane is taken in this cycle, if there is one"),
    Port("labels_data", "labels.payload", "a label, signed, in units of 2^-15"),
    Port("labels_valid", "labels.valid", "1: there is a label"),
    Port("labels_ready", "labels.ready", "1: the label is taken, with its sample's last plane"),
    Port("start", "start", "1 for one cycle: begin an epoch"),
    Port("samples", "samples", "samples of the epoch, with start; at least 1"),
    Port("load", "load", "1 for one cycle, before start: draw Q3 from the model"),
    Port("clear", "clear", "1 for one cycle: flags, loss and counters become 0"),
    Port("busy", "busy", "1: an epoch or a load is under way; it is 1 from the cycle after start or load on"),
    Port("flags", "flags", "sticky bits of saturated values, as in the flags register of docs/registers.md"),
    Port(
        "loss",
        "loss",
        "sum of the samples' losses, signed, in units of 2^(-2f), f = max(15, q3_bits + p_max - 5)",
    ),
    Port("cycles", "counters.cycles", "cycles of epochs under way since clear"),
    Port("plane_cycles", "counters.plane_cycles", "of these, cycles in which a plane was taken"),
    Port("starved_cycles", "counters.starved_cycles", "of these, cycles in which a plane was missing"),
    Port("samples_done", "counters.samples_done", "samples whose gradient is complete"),
    Port(
        "seed_data",
        "seed.payload",
        "a word for the chain of random generators, not 0: the loss unit's first, then lane U - 1 to 0",
    ),
    Port("seed_valid", "seed.valid", "1: there is a word, and it is taken in this cycle"),
    Port("seed_ready", "seed.ready", "always 1"),
    Port(
        "model_write_offset",
        "model_window.write.payload.offset",
        "place of a word of the model that is written",
    ),
    Port(
        "model_write_data",
        "model_window.write.payload.data",
        "the word, signed; see docs/registers.md, model_window",
    ),
    Port("model_write_valid", "model_window.write.valid", "1: there is a word to write"),
    Port("model_write_ready", "model_window.write.ready", "1: it is taken in this cycle"),
    Port("model_read_offset", "model_window.read.payload", "place of a word of the model that is read"),
    Port("model_read_valid", "model_window.read.valid", "1: a word is asked for"),
    Port("model_read_ready", "model_window.read.ready", "1: the question is taken in this cycle"),
    Port("model_data", "model_window.data.payload", "the word that was asked for, signed"),
    Port("model_data_valid", "model_window.data.valid", "1: it is there"),
    Port("model_data_ready", "model_window.data.ready", "1: it is taken in this cycle"),
    Port(
        "coefficient_offset",
        "coefficient_window.payload.offset",
        "place of a polynomial's coefficient",
        "polynomial",
    ),
    Port("coefficient_data", "coefficient_window.payload.data", "the coefficient, signed", "polynomial"),
    Port("coefficient_valid", "coefficient_window.valid", "1: there is one, and it is taken", "polynomial"),
    Port("coefficient_ready", "coefficient_window.ready", "always 1", "polynomial"),
    Port("doubt_offset", "doubt_window.offset", "place of a word of the list of samples in doubt", "refetch"),
    Port("doubt_word", "doubt_window.word", "the word, two cycles after its place", "refetch"),
    Port("score_offset", "score_window.offset", "place of a score", "score_words"),
    Port("score_word", "score_window.word", "the score, signed, two cycles after its place", "score_words"),
    Port("variance_offset", "variance_window.payload.offset", "place of a feature's variance", "diagonal"),
    Port("variance_data", "variance_window.payload.data", "the variance", "diagonal"),
    Port("variance_valid", "variance_window.valid", "1: there is one, and it is taken", "diagonal"),
    Port("variance_ready", "variance_window.ready", "always 1", "diagonal"),
)
"""The training core, without link and registers."""
