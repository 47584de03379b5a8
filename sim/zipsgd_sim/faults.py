"""What a bad line does to the bytes that it carries, random from a seed."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["Fault", "Faults", "Line", "random_faults"]


class Fault(Enum):
    """What may happen to a byte or after it."""

    CORRUPT = "corrupt"
    DROP = "drop"
    INSERT = "insert"
    DUPLICATE = "duplicate"
    STALL = "stall"
    DISCONNECT = "disconnect"


@dataclass(frozen=True)
class Faults:
    """How often each kind of fault happens, in both directions. Rates are probabilities for each byte.

    Parameters
    ----------
    corrupt : float
        Rate at which a byte is changed to another one.
    drop, insert, duplicate : float
        Rates at which a byte is lost, comes after an additional random byte, and comes twice.
    stall : float
        Rate at which the line stops after a byte, for up to ``longest_stall`` seconds.
    disconnect : float
        Rate at which the host's connection is closed after a byte. The host can connect again after up to
        ``longest_absence`` seconds; the bytes on the line are lost.
    longest_stall, longest_absence : float
        Upper limits in seconds.
    reopen : bool
        Whether the connection to the board is closed and opened again together with the host's.
    junk : int
        Random bytes before the first byte in each direction, as from ends that are switched on in the middle of a frame.
    seed : int
        Seed of the faults.

    Raises
    ------
    ValueError
        A rate, time or number is negative, or the rates add up to 1 or more.
    """

    corrupt: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    duplicate: float = 0.0
    stall: float = 0.0
    disconnect: float = 0.0
    longest_stall: float = 0.02
    longest_absence: float = 0.05
    reopen: bool = False
    junk: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for fault in Fault:
            if self.rate(fault) < 0:
                raise ValueError(f"{fault.value} must not be negative, but is {self.rate(fault)}")
        if self.total >= 1:
            raise ValueError(f"the rates must add up to less than 1, not {self.total}")
        if min(self.longest_stall, self.longest_absence, self.junk) < 0:
            raise ValueError("times and the number of junk bytes must not be negative")

    def rate(self, fault: Fault) -> float:
        """Rate of one kind of fault."""
        rate: float = getattr(self, fault.value)
        return rate

    @property
    def hit(self) -> float:
        """Share of the bytes that do not arrive as they were sent."""
        return self.corrupt + self.drop + self.insert + self.duplicate

    @property
    def total(self) -> float:
        """Rate of all faults together."""
        return sum(map(self.rate, Fault))


_BYTES = ("corrupt", "drop", "insert", "duplicate")


def random_faults(seed: int, most: float = 0.01) -> Faults:
    """Random rates of faults.

    Bytes are hit by one kind of fault, several or all. Stalls, disconnections and junk are each there with probability 3/4.

    Parameters
    ----------
    seed : int
        Seed of the rates, and of the faults.
    most : float
        Largest share of bytes that are hit; the share is between a thousandth of this and this, on a logarithmic scale.

    Returns
    -------
    Faults
        The rates.
    """
    rng = random.Random(seed)
    kinds = rng.sample(_BYTES, rng.randint(1, len(_BYTES)))
    weights = [rng.random() for _ in kinds]
    hit = most * 10 ** rng.uniform(-3, 0)
    rates = {kind: hit * weight / sum(weights) for kind, weight in zip(kinds, weights, strict=True)}

    def mostly(value: float) -> float:
        return value if rng.random() < 0.75 else 0

    return Faults(
        **rates,
        stall=mostly(10 ** rng.uniform(-5, -4)),
        disconnect=mostly(10 ** rng.uniform(-5.5, -4.5)),
        reopen=rng.random() < 0.5,
        junk=int(mostly(rng.randint(1, 300))),
        seed=seed,
    )


class Line:
    """One direction of a bad line.

    Parameters
    ----------
    faults : Faults
        The rates.
    way : str
        Name of the direction; each direction has faults of its own.

    Attributes
    ----------
    hits : Counter of Fault
        Faults of each kind so far.
    """

    def __init__(self, faults: Faults, way: str) -> None:
        self.hits: Counter[Fault] = Counter()
        self._rng = random.Random(f"{faults.seed} {way}")
        self._faults = faults
        self._kinds = [fault for fault in Fault if faults.rate(fault)]
        self._rates = [faults.rate(fault) for fault in self._kinds]
        self._before = self._rng.randbytes(faults.junk)
        self._good = self._gap()

    def _gap(self) -> int:
        """Good bytes before the next fault."""
        total = self._faults.total
        return int(math.log(1 - self._rng.random()) / math.log1p(-total)) if total else 1 << 62

    def spoil(self, data: bytes) -> Iterator[tuple[bytes, float | None]]:
        """What becomes of bytes on the line.

        Parameters
        ----------
        data : bytes
            The bytes as they were sent.

        Yields
        ------
        bytes, float or None
            A part of what arrives, and the seconds for which the line stops after it; None if the host is disconnected there.
        """
        out = bytearray(self._before)
        self._before = b""
        at = 0
        while (place := at + self._good) < len(data):
            out += data[at:place]
            at = place + 1
            self._good = self._gap()
            fault = self._rng.choices(self._kinds, self._rates)[0]
            self.hits[fault] += 1
            byte = data[place]
            if fault is Fault.CORRUPT:
                out.append(byte ^ self._rng.randrange(1, 256))
            elif fault is Fault.INSERT:
                out += bytes((self._rng.randrange(256), byte))
            elif fault is Fault.DUPLICATE:
                out += bytes((byte, byte))
            elif fault is not Fault.DROP:
                out.append(byte)
                stalled = fault is Fault.STALL
                yield bytes(out), self._rng.uniform(0, self._faults.longest_stall) if stalled else None
                out.clear()
        self._good -= len(data) - at
        yield bytes(out + data[at:]), 0.0

    def absence(self) -> float:
        """Seconds for which a disconnected host stays away."""
        return self._rng.uniform(0, self._faults.longest_absence)
