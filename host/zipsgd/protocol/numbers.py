"""Numbers that are the same in every build: widths and binary points of labels, draws and steps, and upper limits."""

__all__ = [
    "BLOCK_ROWS",
    "BURST_BITS",
    "BURST_WORDS",
    "LABEL_BITS",
    "LABEL_FRAC",
    "LABEL_ONE",
    "LFSR_BITS",
    "LFSR_MASK",
    "LFSR_ROTATIONS",
    "MODEL_INT",
    "MOST_DEGREE",
    "MOST_EPOCHS",
    "MOST_FEATURES",
    "MOST_HEADS",
    "MOST_STORE_WORDS",
    "PHASE_BITS",
    "RANGE_BITS",
    "REACH_MAX",
    "SAMPLES_BITS",
    "SHRINK_SHIFT_MAX",
    "STEP_BITS",
    "STEP_EXP_MAX",
    "THRESHOLD_BITS",
    "VARIANCE_BITS",
]

BLOCK_ROWS = 16
"""Samples of a block in a store; the last block may have fewer."""
BURST_BITS = 24
"""Width in bits of a burst's number in any store, and of a distance of bursts."""
BURST_WORDS = 8
"""Words of a store's burst."""
LABEL_BITS = 16
"""Width of a label in bits, signed."""
LABEL_FRAC = 15
"""Fraction bits of a label: labels lie in [-1, 1)."""
LABEL_ONE = (1 << LABEL_FRAC) - 1
"""The label of the class +1: the largest label there is. The class -1 has its negative."""
LFSR_BITS = 31
"""State bits of a lane's random generator, and bits of a draw. 2^31 - 1 is prime, so every irreducible polynomial of this
degree is primitive."""
LFSR_ROTATIONS = (10, 5)
"""Left rotations, in bits, that make the next state of a random generator, see :mod:`zipsgd.golden.lfsr`."""
LFSR_MASK = 0x739F_FDEF
"""Bits of the next state to which the second rotation is added."""
MODEL_INT = 3
"""Integer bits of the model, without the sign: the model lies in [-8, 8)."""
MOST_DEGREE = 7
"""Highest degree of a polynomial in any build."""
MOST_EPOCHS = 64
"""Most epochs of a schedule, in any build."""
MOST_FEATURES = 1 << 16
"""Most features of all heads' models together, in any build."""
MOST_HEADS = 64
"""Most heads in any build."""
MOST_STORE_WORDS = 1 << 26
"""Most words of a store, in any build."""
PHASE_BITS = 16
"""Fraction bits of the rate at which mini-batches shrink the model, and of a threshold: both are spread over mini-batches."""
RANGE_BITS = 24
"""Width in bits of the number that selects the features that grow in a mini-batch, see :mod:`zipsgd.golden.diagonal`."""
REACH_MAX = 2
"""Largest reach of a polynomial, which covers arguments from -2^reach to 2^reach. 2^2 is the range of a residual."""
SAMPLES_BITS = 32
"""Width in bits of the number of samples in an epoch."""
SHRINK_SHIFT_MAX = 15
"""Largest shift of a step that shrinks or grows the model: by 2^-1 to 2^-15 of it."""
STEP_BITS = 16
"""Width in bits of the step size's mantissa, unsigned."""
STEP_EXP_MAX = 3
"""Largest exponent of a step size: step = mantissa * 2^-(16 + 4 * exponent)."""
THRESHOLD_BITS = 32
"""Width in bits of a threshold in units of the master's last bit; ``PHASE_BITS`` of them are its fraction."""
VARIANCE_BITS = 16
"""Width in bits of a column's variance of quantisation, unsigned."""
