"""Epochs that a device runs on the samples of its store, and the schedule that makes it do so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zipsgd.golden.loss import Step
from zipsgd.golden.order import BlockWindow, Order
from zipsgd.golden.run import step_registers
from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import REGISTERS, Control, registers_of

__all__ = ["EpochPlan", "Write", "schedules", "window_words"]

Write = tuple[str, int]
"""A register's name, and a word for it."""


@dataclass(frozen=True)
class EpochPlan:
    """What one epoch on the samples of the store depends on, besides the model.

    Parameters
    ----------
    step : Step
        Step size over mini-batch size, proximal step and growth.
    seeds : sequence of int
        LFSR seeds: one for each update lane, then the loss unit's.
    order : Order or BlockWindow
        Order of the blocks.
    """

    step: Step
    seeds: Sequence[int]
    order: Order | BlockWindow

    def settings(self, block_bursts: int) -> dict[str, int]:
        """The registers that keep their word from one epoch to the next.

        Parameters
        ----------
        block_bursts : int
            Bursts of a block.

        Returns
        -------
        dict of str to int
            Values by register name.
        """
        return {**step_registers(self.step), **self.order.registers(block_bursts)}

    def starts(self, samples: int) -> list[Write]:
        """The writes that start the epoch.

        Parameters
        ----------
        samples : int
            Samples of the epoch.

        Returns
        -------
        list of Write
            The last one starts it.
        """
        # Each written word enters update lane 0 and shifts the others: the last lane's word moves to the loss unit
        seeds = [("seed", word) for word in reversed(self.seeds)]
        return [*seeds, ("control", Control.CLEAR | Control.LOAD), ("resident_samples", samples)]


def schedules(
    plans: Sequence[EpochPlan], samples: int, block_bursts: int, build: Build
) -> Iterator[tuple[int, list[Write]]]:
    """The writes of consecutive epochs, in schedules that the device has room for; without any room, of an epoch each.

    Parameters
    ----------
    plans : sequence of EpochPlan
        The epochs.
    samples : int
        Samples of each epoch.
    block_bursts : int
        Bursts of a block.
    build : Build
        Build of the device.

    Yields
    ------
    tuple of int and list of Write
        Epochs of a schedule, and its writes: of settings all for the first epoch, then those that change. Each write of
        ``resident_samples`` starts an epoch.
    """
    there = registers_of(build)
    held: dict[str, int] = {}
    epochs, writes = 0, list[Write]()
    for plan in plans:
        settings = {name: word for name, word in plan.settings(block_bursts).items() if name in there}
        changed = [(name, word) for name, word in settings.items() if held.get(name) != word]
        held = settings
        more = [*changed, *plan.starts(samples)]
        if epochs and (epochs == build.schedule_epochs or len(writes) + len(more) > build.schedule_words):
            yield epochs, writes
            # After a reset, or a check of the store, the device holds other settings: each schedule writes all of them
            epochs, writes, more = 0, [], [*settings.items(), *plan.starts(samples)]
        epochs, writes = epochs + 1, [*writes, *more]
    yield epochs, writes


def window_words(writes: Sequence[Write]) -> list[int]:
    """A schedule as the words of its window.

    Parameters
    ----------
    writes : sequence of Write
        The writes.

    Returns
    -------
    list of int
        Two words for each write.
    """
    starts = {"resident_samples": 1 << 31}
    return [part for name, word in writes for part in (REGISTERS[name].address | starts.get(name, 0), word)]
