"""A store in SDRAM whose clock is not the datapath's."""

from amaranth import DomainRenamer, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from zipsgd_hw.store.clock_crossing import ClockCrossing
from zipsgd_hw.store.pace import StorePace
from zipsgd_hw.store.port import store_signature
from zipsgd_hw.store.word_splitter import WordSplitter

from .controller import SdramController
from .geometry import SdramChip
from .pins import sdram_pins

__all__ = ["ClockedSdramStore"]


class ClockedSdramStore(wiring.Component):
    """A chip of SDRAM in the domain ``memory``, and its port in the domain ``sync``.

    The datapath takes at most a word a cycle. So a chip with the faster clock is read in words of several of its own.

    Latency: that of :class:`SdramController` in cycles of ``memory``, and of :class:`.ClockCrossing` on both ways. Throughput:
    that of the controller, or a word in every cycle of ``sync``.

    Parameters
    ----------
    chip : SdramChip
        The chip.
    clock_hz : float
        Frequency of the domain ``memory`` in hertz.
    parts : int
        Words of the chip in a word of the store, a power of two.
    io_cycles : int
        As of :class:`SdramController`.

    Attributes
    ----------
    word_bits, burst_words, bursts : int
        Bits of a word, words of a burst (8), and number of bursts.

    Members
    -------
    port : In(store_signature(word_bits, log2(bursts)))
        The store.
    pins : Out(sdram_pins(chip.geometry))
        The chip, in the domain ``memory``.

    Raises
    ------
    ValueError
        As for :class:`SdramController`.
    """

    burst_words = SdramController.burst_words

    @staticmethod
    def pace(chip: SdramChip, memory_hz: float, parts: int, clock_hz: float) -> StorePace:
        """How fast the store is read.

        Parameters
        ----------
        chip, parts
            As of the store.
        memory_hz, clock_hz : float
            Frequencies of the domains ``memory`` and ``sync`` in hertz.

        Returns
        -------
        StorePace
            The pace, in cycles and words of ``sync``.

        Raises
        ------
        ValueError
            As for :meth:`SdramController.pace`.
        """
        own = SdramController.pace(chip.geometry, chip.timing, memory_hz)
        cycles = clock_hz / memory_hz  # of sync in one of memory
        return StorePace(
            min(1.0, own.words_per_cycle / (parts * cycles)),
            own.jump_cycles * cycles,
            own.ahead_words // parts + ClockCrossing.read_words,
        )

    def __init__(self, chip: SdramChip, clock_hz: float, parts: int, *, io_cycles: int = 0):
        self._controller = SdramController(chip.geometry, chip.timing, clock_hz, io_cycles=io_cycles)
        self._parts = parts
        self.word_bits, self.bursts = (
            parts * self._controller.word_bits,
            self._controller.bursts // parts,
        )
        super().__init__(
            {
                "port": In(store_signature(self.word_bits, exact_log2(self.bursts))),
                "pins": Out(sdram_pins(chip.geometry)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        crossing = ClockCrossing(self.word_bits, exact_log2(self.bursts))
        m.submodules.crossing = crossing
        m.submodules.controller = DomainRenamer("memory")(self._controller)
        connect(m, flipped(self.port), crossing.port)
        memory = crossing.memory
        if self._parts > 1:
            splitter = WordSplitter(
                self._parts, self._controller.word_bits, exact_log2(self._controller.bursts)
            )
            m.submodules.splitter = DomainRenamer("memory")(splitter)
            connect(m, memory, splitter.port)
            memory = splitter.memory
        connect(m, memory, self._controller.port)
        connect(m, self._controller.pins, flipped(self.pins))
        return m
