"""The rows of the table of registers, from which :data:`zipsgd.protocol.registers.REGISTERS` is made."""

from typing import Literal, TypeAlias

from .numbers import BURST_BITS, PHASE_BITS, RANGE_BITS, THRESHOLD_BITS

__all__ = ["COMMANDS", "CONFIGURATION", "IDENTIFICATION", "RESULTS", "Access"]

Access = Literal["r", "rw", "w", "s"]
"""What the host may do with a register or a window: read it, do both, or write it; or set a register, which is kept for the
gateware and cannot be read."""
Row: TypeAlias = tuple[str, Access, int, str] | tuple[str, Access, int, str, str]
"""A register's name, access, width and description, and the option that it needs."""

IDENTIFICATION: tuple[Row, ...] = (
    ("magic", "r", 32, "0x4453475A"),
    ("version", "r", 16, "version of this contract"),
    ("build_hash", "r", 32, "fingerprint of the build's parameters"),
    ("lanes", "r", 16, "lanes of the datapath"),
    ("update_lanes", "r", 16, "lanes of the update unit"),
    ("max_features", "r", 32, "most features a model can have"),
    ("max_batch", "r", 16, "largest mini-batch"),
    ("p_max", "r", 8, "most base planes"),
    ("model_bits", "r", 8, "bits of the master model"),
    ("q3_bits", "r", 8, "bits of Q3(x)"),
    ("delta_bits", "r", 8, "bits of delta"),
    ("gradient_bits", "r", 8, "bits of Q4's gradient"),
    ("replay_words", "r", 32, "plane words in the replay buffer"),
    ("rx_bytes", "r", 32, "bytes in the link's receive buffer"),
    ("word_bytes", "r", 8, "bytes of a store's word"),
    ("store_words", "r", 32, "words of the store, 0 without one"),
    ("schedule_words", "r", 16, "register writes of the schedule, 0 without one"),
    ("score_words", "r", 32, "scores of an epoch that are kept, 0 without"),
    ("level_bits", "r", 8, "most bits of a level's value, 0 without a transcoder"),
    ("level_p_max", "r", 8, "most base planes of a transcoded value"),
    ("hinge", "r", 1, "1: with both hinge losses"),
    (
        "polynomial",
        "r",
        8,
        "highest degree of a polynomial loss, 0 without one; most up planes are that + 1, and 2 at least",
    ),
    ("refetch", "r", 32, "most samples of an epoch that leaves out those in doubt, 0 without"),
    ("prox", "r", 1, "1: with a proximal step"),
    ("ball", "r", 1, "1: with a ball, too"),
    ("diagonal", "r", 1, "1: corrects the bias of one quantisation per value"),
    ("heads", "r", 8, "most models trained side by side"),
    ("clock_hz", "r", 32, "clock of the datapath, in hertz"),
)
"""Identification block: constants of the build."""

CONFIGURATION: tuple[Row, ...] = (
    ("features", "s", 17, "n, 1 to max_features"),
    ("base_planes", "s", 4, "p, 1 to p_max; with value_bits, 0 to level_p_max"),
    ("up_planes", "s", 4, "m, from 0 on"),
    ("batch", "s", 13, "samples of a mini-batch, 1 to max_batch"),
    ("one_sided", "s", 1, "1: g = Q1 l'(z2); 0: the symmetric mean of both orders (m = 2 only)"),
    (
        "intercept",
        "s",
        1,
        "1: the device makes the last feature, always the highest level, which is not in the sample",
    ),
    (
        "label_form",
        "s",
        2,
        "LabelForm: 0 a word, 1 a byte with a class's number, 2 a byte: 1 for +1, 0 for -1",
    ),
    (
        "value_bits",
        "s",
        4,
        "bits of a level's value, 2 to level_bits; 0: even levels, no table",
        "level_bits",
    ),
    (
        "loss",
        "s",
        3,
        "Loss: 0 least squares, 1 hinge, 2 squared hinge, 3 polynomial of the margin, 4 of the residual",
        "losses",
    ),
    ("degree", "s", 3, "d, of the polynomial, 1 to polynomial", "polynomial"),
    ("reach", "s", 2, "its argument covers -2^reach to 2^reach, 0 to 2", "polynomial"),
    ("refetching", "s", 2, "Refetch: 0 never, 1 certain, 2 likely; for hinges and one head", "refetch"),
    ("heads_used", "s", 7, "models trained side by side, 1 to heads", "heads"),
    (
        "one_against_all",
        "s",
        1,
        "1: a sample has one label, the number of its class; 0: one for each head",
        "heads",
    ),
    ("fill_start", "s", BURST_BITS, "the burst that the first byte of a fill goes to", "store_words"),
    ("block_bursts", "s", BURST_BITS, "bursts from a block to the next one in the store", "store_words"),
    ("block_bytes", "s", BURST_BITS, "bytes of a block's samples, 1 or more", "store_words"),
    ("last_block_bytes", "s", BURST_BITS, "the same of the last block", "store_words"),
    (
        "order_range",
        "s",
        BURST_BITS,
        "bursts from the first block to the end of the last one",
        "store_words",
    ),
    ("order_first", "s", BURST_BITS, "first burst of the block that an epoch begins with", "store_words"),
    (
        "order_stride",
        "s",
        BURST_BITS,
        "bursts from a block to the next one of the epoch, modulo order_range; 0 for a single block",
        "store_words",
    ),
    ("shrink_shift", "s", 4, "a mini-batch takes 2^-shrink_shift of the model away; 0: none", "prox"),
    ("shrink_rate", "s", PHASE_BITS, "in shrink_rate / 2^16 of the mini-batches", "prox"),
    (
        "threshold",
        "s",
        THRESHOLD_BITS,
        "soft threshold of each mini-batch, in 2^-16 of the model's last bit",
        "prox",
    ),
    ("bound", "s", 31, "the model is kept within bound of 0, in its last bit; 0: no bound", "prox"),
    ("nonnegative", "s", 1, "1: the model is kept within 0 and bound, which is above 0", "prox"),
    ("spare_last", "s", 1, "1: none of this for the last feature, the intercept's", "prox"),
    (
        "ball_square",
        "s",
        32,
        "of the radius, in squares of Q3's last bit over 2^ball_drop; 0: no ball; for one head",
        "ball",
    ),
    (
        "growth",
        "s",
        RANGE_BITS + 4,
        f"bits {RANGE_BITS} to {RANGE_BITS + 3}: k, a mini-batch adds 2^-k of itself to each weight whose turn it is; 0: none; "
        f"bits 0 to {RANGE_BITS - 1}: the range, 1 or more, below which the number is that selects the weights",
        "diagonal",
    ),
    (
        "growth_stride",
        "s",
        RANGE_BITS,
        "step of the number after each mini-batch, below the range",
        "diagonal",
    ),
    (
        "growth_start",
        "s",
        RANGE_BITS,
        "the number of the first mini-batch after LOAD, below the range",
        "diagonal",
    ),
    ("step_mantissa", "s", 16, "step / batch = mantissa * 2^-(16 + 4 * exponent)"),
    ("step_exponent", "s", 2, "0 to 3"),
)
"""Run-time configuration."""

COMMANDS: tuple[Row, ...] = (
    ("seed", "w", 31, "shift one word into the LFSR chain: update lanes 0 to U - 1, then the loss unit"),
    ("control", "w", 3, "bits of Control"),
    ("samples", "w", 32, "start an epoch of so many samples, which come over the link"),
    (
        "resident_samples",
        "w",
        32,
        "start an epoch of so many samples from the store; 0: read all blocks for their check alone",
        "store_words",
    ),
    ("fill", "w", 32, "the next so many bytes of SAMPLES, in whole bursts, go to the store", "store_words"),
    ("play", "w", 8, "play the schedule until so many epochs are over", "schedule_words"),
)
"""Commands."""

RESULTS: tuple[Row, ...] = (
    ("status", "r", 1, "bits of Status"),
    ("flags", "r", 5, "sticky overflow flags, bits of Flag"),
    (
        "loss_low",
        "r",
        32,
        "signed sum over the samples of a product of two residuals, r_1 r_2 (r_1 l' with other losses), low word",
    ),
    ("loss_high", "r", 32, "high word, signed"),
    ("samples_done", "r", 32, "samples whose gradient is in"),
    ("cycles_low", "r", 32, "cycles in which an epoch was under way, low word"),
    ("cycles_high", "r", 32, "high word"),
    ("plane_cycles_low", "r", 32, "of these, cycles in which the dot product took a plane"),
    ("plane_cycles_high", "r", 32, "high word"),
    (
        "starved_cycles_low",
        "r",
        32,
        "of these, cycles in which it could have taken one and none had come",
    ),
    ("starved_cycles_high", "r", 32, "high word"),
    (
        "store_check",
        "r",
        32,
        "the check of the blocks that were read since the last epoch from the store, or check, began",
        "store_words",
    ),
    ("epochs_done", "r", 8, "epochs of the schedule that are over", "schedule_words"),
    ("frames_bad", "r", 16, "frames dropped for a bad CRC, length or coding"),
    ("frames_skipped", "r", 16, "valid frames dropped because they arrived out of order"),
    (
        "run_tag",
        "rw",
        32,
        "a word of the host's that names the run of the schedule; as session",
        "schedule_words",
    ),
    ("session", "rw", 32, "a word of the host's; 0 after a reset of the device, kept by SYNC"),
)
"""Results, and the host's session."""
