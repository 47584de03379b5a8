"""What a bad line does to the bytes that go over it, random from a seed."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["Fault", "Faults", "Line", "random_faults"]


class Fault(Enum):
    """What may happen at a byte."""

    CORRUPT = "corrupt"
    DROP = "drop"
    INSERT = "insert"
    DUPLICATE = "duplicate"
    STALL = "stall"
    DISCONNECT = "disconnect"


@dataclass(frozen=True)
class Faults:
    """A fault schedule: how often what happens, for each byte and either way.

    Parameters
    ----------
    corrupt : rate at which a byte becomes another one.
    drop, insert, duplicate : rates at which a byte is lost, has a random one before it, comes twice.
    stall : rate at which the bytes behind one are held up, for up to ``longest_stall`` seconds.
    disconnect : rate at which the host's connection is closed behind a byte. It can connect again after up to
        ``longest_absence`` seconds; what is on the line then is lost.
    reopen : with the host's connection, the one to the board is closed and opened again.
    junk : random bytes before the first one, either way, as of ends that are switched on in mid-frame.
    seed : decides where the faults are.

    Raises ValueError for what is no rate, a negative time or a negative number.
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
        """Of one kind of fault, for each byte."""
        rate: float = getattr(self, fault.value)
        return rate

    @property
    def hit(self) -> float:
        """Share of the bytes that do not come as they were sent."""
        return self.corrupt + self.drop + self.insert + self.duplicate

    @property
    def total(self) -> float:
        return sum(map(self.rate, Fault))


_BYTES = ("corrupt", "drop", "insert", "duplicate")


def random_faults(seed: int, most: float = 0.01) -> Faults:
    """A schedule with up to ``most`` of the bytes hit, on any scale down to a thousandth of that, and all else in most of them.

    One kind of hit, some or all; in three of four, stalls, disconnections and junk each.
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
    faults : the schedule.
    way : of the direction; each has faults of its own.

    Attributes
    ----------
    hits : how many of each kind there have been.
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
        """What becomes of ``data``: parts of it, and for how many seconds the line is held up behind each.

        None rather than seconds: the host is disconnected there.
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
