"""The second array of the identity bench: what it covers, a slice of it, and that no difference of a store goes unseen."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from zipsgd.backends.device import DeviceBackend
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.golden.order import Order
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.numbers import BURST_WORDS
from zipsgd_bench.progress import Steps
from zipsgd_bench.simulated import simulated
from zipsgd_bench.store_comparison import compare_array, compare_stored
from zipsgd_sim.options import fast_memory_of
from zipsgd_sim.store_options import STORE_BUILD_FACTORS, store_array, store_build_of
from zipsgd_sim.store_runs import random_store_run, store_layout

ARRAY, _ = store_array()
SLICE = [
    kind
    for kind in ARRAY
    if (kind["store"], kind["schedule"], kind["lanes"], kind["word bytes"]) == ("block RAM", "yes", "4", "2")
]
"""The configurations of one build. It is compiled once."""
TWO = [
    {"samples": samples, "order": "in sequence", "blocks": "many"} for samples in ("resident", "unattended")
]


def test_the_array_has_enough_of_each() -> None:
    kept = [kind for kind in ARRAY if kind["store"] != "none" and kind["samples"] != "streamed"]
    assert len(kept) >= 60
    for place in ("resident", "unattended"):
        for store in set(STORE_BUILD_FACTORS["store"]) - {"none"}:
            some = [kind for kind in kept if (kind["samples"], kind["store"]) == (place, store)]
            for factor in ("schedule", "order", "blocks", "estimator", "heads used", "label form", "levels"):
                assert {kind[factor] for kind in some} == {kind[factor] for kind in ARRAY}, (
                    place,
                    store,
                    factor,
                )


def test_sets_fit_into_their_stores() -> None:
    rng = random.Random(0)
    sizes = []
    for kind in ARRAY:
        build = store_build_of(kind)
        run = random_store_run(build, rng, kind=kind)
        assert bool(run.turns) == (kind["samples"] == "unattended")
        assert (run.epochs[0].stored is None) == (kind["samples"] == "streamed")
        if build.store_words:
            sizes.append(store_layout(run, build).bursts / build.store_bursts)
    assert max(sizes) <= 1


def test_a_slice_of_the_array() -> None:
    assert {kind["resets"] for kind in SLICE} == {kind["stalls"] for kind in SLICE} == {"no", "yes"}
    with Steps(1) as steps:
        (row,), configurations, differences = compare_array(SLICE, steps)
    assert differences == []
    assert row["configurations"] == len(configurations) == len(SLICE) > 5
    assert row["from the store"] == row["checks compared"] > row["unattended"] > 0


@pytest.fixture
def device() -> Iterator[DeviceBackend]:
    build = store_build_of(SLICE[0])
    with simulated(build, fast_memory=fast_memory_of(SLICE[0]), optimise=1) as (_, backend):
        yield backend


def _differences(device: DeviceBackend) -> list[dict[str, object]]:
    backends = {"golden": GoldenBackend(device.build), "gateware": device}
    return compare_stored(device.build, backends, device, TWO, seed=1)[2]


def test_another_order_is_seen(device: DeviceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device has the right samples, and so the right check."""
    right = Order.registers

    def wrong(order: Order, block_bursts: int) -> dict[str, int]:
        other = Order(order.blocks, (order.first + 1) % order.blocks, order.stride)
        return right(other, block_bursts)

    monkeypatch.setattr(Order, "registers", wrong)
    found = _differences(device)
    assert {row["run"] for row in found} == {0, 1}
    assert {row["differs"] for row in found} == {"gateware"}


def test_another_content_is_seen(device: DeviceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd_sim.store_runs.weave", lambda codes, layout: codes.base)
    assert [
        (row["differs"], row["check"], row["bytes"], row["repeated"]) for row in _differences(device)
    ] == [
        ("store", 1, 0, 0),
        ("store", 1, 0, 0),
    ]


def test_a_set_that_is_streamed_in_secret_is_seen(
    device: DeviceBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bits are right."""
    monkeypatch.setattr(device._contents, "fits", lambda samples, config: False)
    found = _differences(device)
    assert [(row["differs"], row["bytes"], row["repeated"]) for row in found] == [("store", 1, 0)] * 2


def test_an_epoch_that_is_repeated_is_seen(device: DeviceBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was mended, and its bits are right."""
    start, starts = device.device.start, []

    def spoil(*arguments: Any) -> None:
        starts.append(1)
        if len(starts) == 2:
            burst = BURST_WORDS * device.build.word_bytes
            device.device.write_registers({"fill_start": 0, "fill": burst})
            device.device.send_samples([bytes(burst)], lambda sent: None)
        start(*arguments)

    monkeypatch.setattr(device.device, "start", spoil)
    found = _differences(device)
    assert [(row["run"], row["differs"], row["repeated"]) for row in found] == [(0, "store", 1)]


def test_a_set_that_is_there_already_is_no_difference(device: DeviceBackend) -> None:
    """As by chance, where random sets are so small that two are equal."""
    backends = {"golden": GoldenBackend(device.build), "gateware": device}
    sent = []
    for _ in range(2):
        assert compare_stored(device.build, backends, device, TWO[:1], seed=1)[2] == []
        sent.append(device.device.link.counts.samples)
    assert sent[0] == sent[1] > 0


def test_the_emulator_is_compared(device: DeviceBackend) -> None:
    class Other(EmulatorBackend):
        name = "other"

        def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
            super().begin(config, model, seed + 1, epoch)

    backends = {"golden": GoldenBackend(device.build), "other": Other(device.build), "gateware": device}
    row, configurations, differences = compare_stored(device.build, backends, device, TWO, seed=1)
    assert {each["differs"] for each in differences} == {"other"}
    assert row["differing"] == len(differences)
    assert [each["kept"] for each in configurations] == [True, True]
