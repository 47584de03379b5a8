"""A host that waits for a device which runs epochs on its own."""

import pytest

from zipsgd.driver.device import Device
from zipsgd.driver.device_registers import RESULTS
from zipsgd.protocol.registers import Status


def test_a_pause_between_two_epochs_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The datapath is idle there, while the results are kept and the next epoch's settings are written."""
    seen = [(Status.BUSY, 0), (0, 1), (Status.BUSY, 1), (0, 2), (0, 3), (0, 3)]
    reads = iter(seen)
    device = object.__new__(Device)
    device._patience = 10.0

    def read_words(address: int, count: int, *, fence: bool = False) -> list[int]:
        status, epochs = next(reads)
        words = dict.fromkeys(RESULTS, 0) | {"status": status, "epochs_done": epochs}
        return [words[name] for name in RESULTS]

    monkeypatch.setattr(device, "read_words", read_words)
    monkeypatch.setattr(device, "_check_session", lambda word: None)
    samples: list[int] = []
    assert device._wait(samples.append, 100, 3)["epochs_done"] == 3
    assert samples == [0, 100, 100, 200, 300]
