"""Number formats of a build.

A :class:`Build` names the few free parameters of a gateware build. Every other width, shift and binary point of the
datapath is a property of it, with the reason beside it. The golden model, the emulator and the gateware all take
their numbers from here.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, ClassVar

__all__ = [
    "LABEL_BITS",
    "LABEL_FRAC",
    "LABEL_ONE",
    "LFSR_BITS",
    "LFSR_MASK",
    "LFSR_ROTATIONS",
    "MOST_DEGREE",
    "MOST_FEATURES",
    "MOST_HEADS",
    "PHASE_BITS",
    "REACH_MAX",
    "SAMPLES_BITS",
    "SHRINK_SHIFT_MAX",
    "STEP_BITS",
    "THRESHOLD_BITS",
    "Build",
    "BuildError",
    "Flag",
    "Loss",
    "Refetch",
]

LABEL_BITS = 16
"""Bits of a label, signed."""
LABEL_FRAC = 15
"""Fraction bits of a label: it lies in [-1, 1)."""
LABEL_ONE = (1 << LABEL_FRAC) - 1
"""The label +1 of a class, as near as it comes; -1 is its negative."""
LFSR_BITS = 31
"""State of a lane's random generator, and bits of a draw: 2^31 - 1 is prime, so that an irreducible polynomial is primitive."""
LFSR_ROTATIONS = (10, 5)
"""Rotations to the left that make the next state, see :mod:`zipsgd.golden.lfsr`."""
LFSR_MASK = 0x739F_FDEF
"""Bits of the next state that the second rotation is part of."""
SAMPLES_BITS = 32
"""Bits of the count of an epoch's samples."""
STEP_BITS = 16
"""Bits of the step size's mantissa, unsigned."""
STEP_EXP_MAX = 3
"""Largest exponent: step = mantissa * 2^-(16 + 4 * exponent)."""
MOST_DEGREE = 7
"""Of a polynomial in any build."""
MOST_FEATURES = 1 << 16
"""Of all heads' models together, in any build."""
MOST_HEADS = 64
"""Of any build."""
PHASE_BITS = 16
"""Bits of the rate at which mini-batches shrink the model, and of a threshold's fraction: both are spread over mini-batches."""
REACH_MAX = 2
"""A polynomial covers arguments of up to 2^0, 2^1 or 2^2, the range of a residual."""
SHRINK_SHIFT_MAX = 15
"""The model is shrunk by 2^-1 to 2^-15 of itself."""
THRESHOLD_BITS = 32
"""Bits of a threshold in units of the master's last bit, ``PHASE_BITS`` of them behind the point."""
MODEL_INT = 3
"""Integer bits of the model beside the sign: it lies in [-8, 8)."""


class Loss(IntEnum):
    """What a run minimises, of z and the label b, as the ``loss`` register has it. Hinges take labels of +1 and -1."""

    SQUARED = 0
    """(z - b)^2 / 2"""
    HINGE = 1
    """max(0, 1 - b z)"""
    SQUARED_HINGE = 2
    """max(0, 1 - b z)^2 / 2"""
    POLYNOMIAL_MARGIN = 3
    """l(s z), with s the label's sign, for a polynomial l'"""
    POLYNOMIAL_RESIDUAL = 4
    """l(z - b), for a polynomial l'"""

    @property
    def hinge(self) -> bool:
        """Whether it is one of the hinges."""
        return self in (Loss.HINGE, Loss.SQUARED_HINGE)

    @property
    def polynomial(self) -> bool:
        """Whether its derivative is a polynomial of the run's."""
        return self >= Loss.POLYNOMIAL_MARGIN


class Refetch(IntEnum):
    """Which samples a run of a hinge leaves out, to be fetched again at more bits: those whose side of the margin is in doubt.

    Bounds on what quantisation may have moved tell how far the score of the sample itself is from its quantisation's: as the
    ``refetching`` register has it.
    """

    NEVER = 0
    """None"""
    CERTAIN = 1
    """It lies between the least and the largest score that the base planes allow, which are Delta ||x||_1 apart: half as far as
    ZipML's bound on either side of z_1 (section 4.2)."""
    LIKELY = 2
    """It is within 2 Delta ||x||_2 of z_1, or a little more. By Hoeffding's inequality that is passed with a probability below
    2 exp(-8), 1 in 1,490."""


class BuildError(ValueError):
    """A set of build parameters that cannot be elaborated; the message names the parameter and its range."""


class Flag:
    """Bits of the sticky overflow word. Each says: a value was saturated here since the flags were last cleared."""

    RESIDUAL = 1
    """z - b left [-4, 4)."""
    DELTA = 2
    """step * residual left (-1, 1)."""
    GRADIENT = 4
    """An entry of the mini-batch's step left [-1, 1)."""
    MODEL = 8
    """An entry of the model left [-8, 8)."""
    Q3 = 16
    """Rounding an entry of the model up left the range of Q3."""

    NAMES: ClassVar = {RESIDUAL: "residual", DELTA: "delta", GRADIENT: "gradient", MODEL: "model", Q3: "q3"}


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True)
class Build:
    """Parameters of a gateware build.

    Parameters
    ----------
    lanes : features that the datapath handles side by side; a power of two, 4 to 256.
    update_lanes : features that the update unit handles side by side; a power of two, at most ``lanes``.
    max_features : most features a model can have (n), a multiple of ``lanes``.
    max_batch : largest mini-batch, a power of two.
    p_max : most base planes, 1 to 8.
    model_bits, q3_bits : bits of the master model and of Q3's copy that the dot product reads.
    delta_bits : bits of the rounded error term, range (-1, 1).
    gradient_bits : bits of the rounded mini-batch step (Q4), range (-1, 1).
    replay_words : plane words that the replay buffer holds, a power of two; bounds ceil(n / lanes) * (p + m).
    rx_bytes : bytes of frames that the link's receive buffer holds, a power of two of 1024 to 32768.
    level_bits : most bits of a level's value in the transcoder's table; 0 for a build without a transcoder.
    level_p_max : most base planes of a transcoded value, 0 to 4: the table has 2^level_p_max + 1 levels a feature.
    hinge : 1 for a loss unit with both hinges.
    polynomial : highest degree of a polynomial loss, up to 7; 0 for a loss unit without one.
    refetch : of hinges, most samples of an epoch in which those in doubt are left out and listed, a power of two from 32 on; 0
        for a build that leaves none out.
    prox : 1 for an update unit with a proximal step (L2, L1, box).
    ball : 1 for a proximal step that keeps the model within a ball, too.
    heads : most models that are trained side by side on one stream of samples; together they have ``max_features`` features.
    clock_hz : clock of the datapath.
    uart_baud : rate of the UART; 0 where the build has a byte-stream port instead.

    Raises
    ------
    BuildError
        A parameter out of its range, or a combination that has no exact datapath.
    """

    lanes: int = 8
    update_lanes: int = 8
    max_features: int = 1024
    max_batch: int = 64
    p_max: int = 8
    model_bits: int = 24
    q3_bits: int = 12
    delta_bits: int = 18
    gradient_bits: int = 18
    replay_words: int = 2048
    rx_bytes: int = 2048
    level_bits: int = 0
    level_p_max: int = 0
    hinge: int = 0
    polynomial: int = 0
    refetch: int = 0
    prox: int = 0
    ball: int = 0
    heads: int = 1
    clock_hz: int = 48_000_000
    uart_baud: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "lanes": (4, 256),
            "update_lanes": (1, self.lanes),
            "max_batch": (1, 1 << 12),
            "p_max": (1, 8),
            "model_bits": (12, 31),
            "q3_bits": (6, 18),
            "delta_bits": (8, 20),
            "gradient_bits": (8, 24),
            "replay_words": (32, 1 << 16),
            "rx_bytes": (1024, 1 << 15),
            "max_features": (self.lanes, MOST_FEATURES),
            "level_bits": (0, self.p_max),
            "level_p_max": (0, 4 if self.level_bits else 0),
            "hinge": (0, 1),
            "polynomial": (0, MOST_DEGREE),
            "refetch": (0, 1 << 20),
            "prox": (0, 1),
            "ball": (0, self.prox),
            "heads": (1, MOST_HEADS),
            "clock_hz": (1, 1 << 31),
            "uart_baud": (0, 1 << 27),
        }
        reasons = {
            "rx_bytes": "ACKs count freed bytes modulo 65536, where a whole larger buffer may read as none"
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if not low <= value <= high:
                reason = f": {reasons[name]}" if name in reasons and value > high else ""
                raise BuildError(f"{name} must be in {low}..{high}, not {value}{reason}")
        for name in ("lanes", "update_lanes", "max_batch", "replay_words", "rx_bytes"):
            if not _is_power_of_two(getattr(self, name)):
                raise BuildError(f"{name} must be a power of two, not {getattr(self, name)}")
        if self.max_features % self.lanes:
            raise BuildError(
                f"max_features must be a multiple of the {self.lanes} lanes, not {self.max_features}"
            )
        if self.heads > self.max_chunks:
            raise BuildError(
                f"heads must be at most max_features / lanes ({self.max_chunks}), not {self.heads}: each takes a chunk or more"
            )
        if self.refetch and not self.hinge:
            raise BuildError(
                f"refetch must be 0 without hinge, not {self.refetch}: samples of hinges are fetched again"
            )
        if self.refetch and (self.refetch < 32 or not _is_power_of_two(self.refetch)):
            raise BuildError(f"refetch must be 0 or a power of two from 32 on, not {self.refetch}")
        if self.level_bits == 1:
            raise BuildError("level_bits must be 0 or at least 2, not 1")
        if self.level_bits and self.level_words > 1 << 16:
            raise BuildError(
                f"a table of {self.max_features} features, {self.level_bits} bits and 2^{self.level_p_max} + 1 levels takes "
                f"{self.level_words} words of its window, which has {1 << 16}: lower max_features, level_bits or level_p_max"
            )
        if self.q3_bits >= self.model_bits:
            raise BuildError(f"q3_bits must be below model_bits ({self.model_bits}), not {self.q3_bits}")
        if self.gradient_frac > self.model_frac:
            raise BuildError(
                f"gradient_bits must be at most {self.model_frac + 1} (the model's fraction), not {self.gradient_bits}"
            )
        if self.q4_drop < 0:
            raise BuildError(
                f"gradient_bits must be at most {self.accumulator_frac + 1} (the accumulator's fraction), "
                f"not {self.gradient_bits}"
            )
        if self.q3_drop + self.q4_drop > LFSR_BITS:
            raise BuildError(
                f"rounding Q3 ({self.q3_drop} bits) and Q4 ({self.q4_drop} bits) needs more than the {LFSR_BITS} random "
                f"bits of a draw; raise q3_bits or gradient_bits"
            )

    def has(self, option: str) -> bool:
        """Whether a part that a build may lack is there, by the parameter that is 0, or 1 for heads, without it."""
        return int(getattr(self, option)) > (option == "heads")

    @property
    def losses(self) -> int:
        """1 where there is a choice of losses."""
        return int(self.has("hinge") or self.has("polynomial"))

    @property
    def m_max(self) -> int:
        """Most up planes: 2 for double sampling, or one more than a polynomial's degree."""
        return max(2, self.polynomial + 1)

    # Limits that depend on the run

    def chunks(self, features: int) -> int:
        """Chunks of a sample of ``features`` features: ceil(n / lanes)."""
        return -(-features // self.lanes)

    @property
    def max_chunks(self) -> int:
        return self.max_features // self.lanes

    # Transcoder

    @property
    def level_rows(self) -> int:
        """Level planes that the table's window has room for in a chunk's value plane: a power of two above 2^level_p_max."""
        return 2 << self.level_p_max

    @property
    def level_words(self) -> int:
        """Words of the table's window: a plane of up to 32 lanes each, or as many words a plane as it takes."""
        return (
            self.max_chunks
            * (1 << (self.level_bits - 1).bit_length())
            * self.level_rows
            * -(-self.lanes // 32)
        )

    # Model, master and Q3

    @property
    def model_frac(self) -> int:
        """Fraction bits of the master model."""
        return self.model_bits - 1 - MODEL_INT

    @property
    def q3_frac(self) -> int:
        """Fraction bits of Q3(x)."""
        return self.q3_bits - 1 - MODEL_INT

    @property
    def q3_drop(self) -> int:
        """Bits that Q3 rounds away."""
        return self.model_bits - self.q3_bits

    # Dot product and residual

    @property
    def tree_bits(self) -> int:
        """Sum of one plane's gated Q3 words over the lanes: no overflow, since |sum| <= lanes * 2^(q3_bits - 1)."""
        return self.q3_bits + self.lanes.bit_length() - 1

    @property
    def z_bits(self) -> int:
        """z in units of its run's last plane: |z| <= max_features * 2^(p_max - 1) * 2^(q3_bits - 1), signed."""
        return (self.max_features << (self.p_max + self.q3_bits - 2)).bit_length() + 1

    @property
    def residual_frac(self) -> int:
        """Fraction bits of z - b: the finer of z at p_max planes and the label, so that the difference is exact."""
        return max(LABEL_FRAC, self.q3_frac + self.p_max - 1)

    @property
    def residual_bits(self) -> int:
        """Bits of z - b, saturated (flag RESIDUAL) to [-4, 4)."""
        return self.residual_frac + 3

    @property
    def max_samples(self) -> int:
        """Most samples of an epoch: the loss sum has 64 bits, and each sample adds up to (2^(residual_bits - 1))^2 to it."""
        return (1 << min(63 - 2 * (self.residual_bits - 1), SAMPLES_BITS)) - 1

    def z_shift(self, p: int) -> int:
        """Left shift that takes z of a run with ``p`` base planes to the residual's binary point."""
        return self.residual_frac - self.q3_frac - (p - 1)

    # Norms of Q3, for refetching and balls

    @property
    def bound_bits(self) -> int:
        """Sum of the sizes of Q3's words: at most max_features * 2^(q3_bits - 1)."""
        return (self.max_features << (self.q3_bits - 1)).bit_length()

    @property
    def square_bits(self) -> int:
        """Sum of the squares of Q3's words: at most max_features * 2^(2 * q3_bits - 2)."""
        return (self.max_features << (2 * self.q3_bits - 2)).bit_length()

    @property
    def ball_drop(self) -> int:
        """Bits of a square that a ball's does not have: it is told in 32."""
        return max(0, self.square_bits - 32)

    # Delta

    @property
    def delta_frac(self) -> int:
        return self.delta_bits - 1

    @property
    def delta_drop(self) -> int:
        """Bits that rounding delta drops after the product is shifted left by 4 * (3 - exponent)."""
        return self.residual_frac + STEP_BITS + 4 * STEP_EXP_MAX - self.delta_frac

    # Gradient

    @property
    def accumulator_frac(self) -> int:
        """Fraction bits of a gradient accumulator: delta times the last plane at p_max, in halves.

        The symmetric estimator is the mean of two products; halves keep it exact."""
        return self.delta_frac + self.p_max

    @property
    def accumulator_bits(self) -> int:
        """A mini-batch's exact sum: |sum| <= max_batch * 2 * (2^(delta_bits - 1) - 1) * 2^(p_max - 1)."""
        return self.delta_bits + self.p_max + self.max_batch.bit_length() - 1

    @property
    def gradient_frac(self) -> int:
        return self.gradient_bits - 1

    @property
    def q4_drop(self) -> int:
        """Bits that Q4 rounds away."""
        return self.accumulator_frac - self.gradient_frac

    @property
    def gradient_shift(self) -> int:
        """Left shift that takes a rounded gradient to the model's binary point."""
        return self.model_frac - self.gradient_frac

    # Identity

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def hash(self) -> int:
        """32-bit fingerprint of the parameters, as the identification block carries it."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
