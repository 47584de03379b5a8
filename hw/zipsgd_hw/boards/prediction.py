"""How long an epoch takes on a build, from its parameters alone."""

from typing import Any

from zipsgd.golden.weave import sample_bytes
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import MAX_PAYLOAD
from zipsgd.protocol.numbers import PROX_STAGES

__all__ = ["predict_epoch"]

_FRAME_BYTES = MAX_PAYLOAD + 6 + 3 + 1
"""Bytes on the line of a full SAMPLES frame: kind, number, CRC; at most three code bytes of COBS; the closing zero."""
_UART_BITS = 10
"""Bits on the line a byte: start, eight, stop."""


def predict_epoch(
    build: Build,
    *,
    samples: int,
    features: int,
    base_planes: int,
    up_planes: int,
    batch: int = 16,
    link_baud: int | None = None,
) -> dict[str, Any]:
    """Seconds of an epoch: those of the link, those of the datapath, and which is longer.

    ``features`` counts the intercept. ``link_baud``: rate of a serial link; the link's seconds are None without it.
    The datapath's take a plane a cycle, but no less than L / U cycles a chunk in a mini-batch's last sample, the bubble of
    :class:`zipsgd_hw.datapath.core.TrainingCore` at the end of each mini-batch (fast block RAM saves a cycle of it), and the
    epoch's last gradient.
    """
    planes = base_planes + up_planes
    chunks = build.chunks(features)
    steps = build.lanes // build.update_lanes
    tree = build.lanes.bit_length() // 2
    bubble = planes + 17 + tree + steps + build.prox * PROX_STAGES
    batches = -(-samples // batch)
    waits = batches * (bubble + (chunks - 1) * max(0, steps - planes))
    cycles = (samples + 1) * chunks * planes - planes + waits
    size = sample_bytes(features, base_planes, up_planes, build.lanes)
    line_bytes = samples * size * _FRAME_BYTES / MAX_PAYLOAD
    link = line_bytes * _UART_BITS / link_baud if link_baud else None
    datapath = cycles / build.clock_hz
    return {
        "samples": samples,
        "features": features,
        "base_planes": base_planes,
        "up_planes": up_planes,
        "batch": batch,
        "link_baud": link_baud,
        "bytes_per_sample": size,
        "cycles_per_sample": round(cycles / samples, 3),
        "link_seconds": link,
        "datapath_seconds": datapath,
        "seconds": max(datapath, link or 0.0),
        "bound_by": "link" if link is not None and link > datapath else "datapath",
    }
