"""Number formats of a build.

A :class:`Build` has the few free parameters of a gateware build. Every other width, shift and binary point of the datapath is a
property of it, documented with its reason. The golden model, the emulator and the gateware all take their numbers from here.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .build_limits import LEVEL_WINDOW_WORDS, BuildError, check_build
from .numbers import (
    BURST_WORDS,
    LABEL_FRAC,
    MODEL_INT,
    MOST_EPOCHS,
    SAMPLES_BITS,
    STEP_BITS,
    STEP_EXP_MAX,
)
from .plain import make_plain

__all__ = ["LEVEL_WINDOW_WORDS", "Build", "BuildError"]


@dataclass(frozen=True)
class Build:
    """Parameters of a gateware build.

    Parameters
    ----------
    lanes : int
        Features that the datapath handles side by side; a power of two, 4 to 256.
    update_lanes : int
        Features that the update unit handles side by side; a power of two, at most ``lanes``.
    max_features : int
        Most features of a model (n), a multiple of ``lanes``.
    max_batch : int
        Samples of the largest mini-batch, a power of two, 1 to 4096.
    p_max : int
        Most base planes, 1 to 8.
    model_bits : int
        Width in bits of the master model, 12 to 31.
    q3_bits : int
        Width in bits of Q3, the copy of the model that the dot product reads; 6 to 18, below ``model_bits``.
    delta_bits : int
        Width in bits of the rounded error term, whose range is (-1, 1); 8 to 20.
    gradient_bits : int
        Width in bits of the rounded mini-batch step (Q4), whose range is (-1, 1); 8 to 24.
    replay_words : int
        Plane words in the replay buffer, a power of two, 32 to 65536. A sample has ceil(n / lanes) * (p + m) of them.
    rx_bytes : int
        Bytes of the link's receive buffer, a power of two, 1024 to 32768.
    word_bytes : int
        Bytes of a store's word, which go to the unpacker at once: 1, 2, 4 or 8.
    store_words : int
        Words of the store that keeps samples on the device, a power of two, 64 to 2^26; 0 for a build without a store.
    schedule_words : int
        Register writes of the schedule by which a build with a store runs several epochs on its own, a power of two, 32 to
        4096; 0 for a build that runs one epoch at a time.
    score_words : int
        Scores of an epoch that come back, one for each sample and head: a power of two, 32 to 65536, and 16 for each head at
        least; 0 for a build that trains only.
    level_bits : int
        Most bits of a level's value in the transcoder's table, 2 to ``p_max``; 0 for a build without a transcoder.
    level_p_max : int
        Most base planes of a transcoded value, 0 to 4: the table has 2^level_p_max + 1 levels a feature.
    hinge : int
        1 for a loss unit with both hinges.
    polynomial : int
        Highest degree of a polynomial loss, up to 7; 0 for a loss unit without polynomials.
    refetch : int
        Most samples of an epoch of a hinge that leaves out samples in doubt, a power of two, 32 to 2^20; 0: none are left out.
    prox : int
        1 for an update unit with a proximal step (L2, L1, box).
    ball : int
        1 for a proximal step that also keeps the model within a ball.
    diagonal : int
        1 for an update unit that corrects the bias of one quantisation per value.
    heads : int
        Most models trained side by side on one stream of samples, 1 to 64; together they have ``max_features`` features.
    clock_hz : int
        Clock of the datapath in hertz.

    Raises
    ------
    TypeError
        A parameter is not an integer.
    BuildError
        A parameter is out of its range, or the combination has no exact datapath.
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
    word_bytes: int = 1
    store_words: int = 0
    schedule_words: int = 0
    score_words: int = 0
    level_bits: int = 0
    level_p_max: int = 0
    hinge: int = 0
    polynomial: int = 0
    refetch: int = 0
    prox: int = 0
    ball: int = 0
    diagonal: int = 0
    heads: int = 1
    clock_hz: int = 48_000_000

    def __post_init__(self) -> None:
        make_plain(self)
        check_build(self)

    def changed(self, changes: Mapping[str, int]) -> "Build":
        """The build with other parameters.

        Parameters
        ----------
        changes : mapping of str to int
            Parameters that differ, by name.

        Returns
        -------
        Build
            The build.

        Raises
        ------
        BuildError
            There is no such parameter, or the values make no build.
        """
        known = self.as_dict()
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise BuildError(f"no parameter {', '.join(unknown)}: a build has {', '.join(known)}")
        return replace(self, **changes)

    def has(self, option: str) -> bool:
        """Whether the build has an optional part.

        Parameters
        ----------
        option : str
            Name of the part's parameter, which is 0 without the part; ``heads`` is 1 without it.

        Returns
        -------
        bool
            Whether the part is there.
        """
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
        """Chunks of a sample: ceil(n / lanes).

        Parameters
        ----------
        features : int
            Features of the sample (n).

        Returns
        -------
        int
            The number of chunks.
        """
        return -(-features // self.lanes)

    @property
    def max_chunks(self) -> int:
        """Chunks of the largest sample."""
        return self.max_features // self.lanes

    # Store

    @property
    def store_bursts(self) -> int:
        """Bursts of the store."""
        return self.store_words // BURST_WORDS

    @property
    def burst_bits(self) -> int:
        """Width of a distance in the store, from 0 to all of its bursts."""
        return self.store_bursts.bit_length()

    @property
    def schedule_epochs(self) -> int:
        """Most epochs of a schedule: each has eight writes or more."""
        return min(MOST_EPOCHS, self.schedule_words // 8)

    @property
    def store_bytes(self) -> int:
        """Bytes of the store."""
        return self.store_words * self.word_bytes

    # Transcoder

    @property
    def level_rows(self) -> int:
        """Level planes that the table's window holds for each value plane of a chunk: a power of two above 2^level_p_max."""
        return 2 << self.level_p_max

    @property
    def level_words(self) -> int:
        """Words of the table's window: ceil(lanes / 32) words of 32 bits for each level plane."""
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
        """Left shift that takes a score to the residual's binary point.

        Parameters
        ----------
        p : int
            Base planes of the run, 1 to ``p_max``.

        Returns
        -------
        int
            The shift in bits.
        """
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
        """Low bits of the model's square that are dropped before it is compared with a ball's, whose register has 32 bits."""
        return max(0, self.square_bits - 32)

    # Delta

    @property
    def delta_frac(self) -> int:
        """Fraction bits of delta."""
        return self.delta_bits - 1

    @property
    def delta_drop(self) -> int:
        """Bits that rounding delta drops after the product is shifted left by 4 * (3 - exponent)."""
        return self.residual_frac + STEP_BITS + 4 * STEP_EXP_MAX - self.delta_frac

    # Gradient

    @property
    def accumulator_frac(self) -> int:
        """Fraction bits of a gradient accumulator: delta times the last plane at p_max, in halves, for the mean of two."""
        return self.delta_frac + self.p_max

    @property
    def accumulator_bits(self) -> int:
        """A mini-batch's exact sum: |sum| <= max_batch * 2 * (2^(delta_bits - 1) - 1) * 2^(p_max - 1)."""
        return self.delta_bits + self.p_max + self.max_batch.bit_length() - 1

    @property
    def gradient_frac(self) -> int:
        """Fraction bits of a rounded gradient."""
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
        """The parameters by name, as :class:`Build` takes them."""
        return asdict(self)

    def hash(self) -> int:
        """32-bit fingerprint of the parameters, as in the identification block."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
