"""How long an epoch takes on a build, from its parameters alone."""

from dataclasses import asdict
from typing import Any

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import MAX_PAYLOAD
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout, heads_of_passes
from zipsgd.protocol.store import StoreLayout
from zipsgd_hw.store.pace import StorePace

from .epoch_cycles import epoch_cycles
from .store_prediction import predict_room, predict_store_epoch

__all__ = ["predict_epoch"]

_FRAME_BYTES = MAX_PAYLOAD + 6 + 3 + 1
"""Bytes on the line of a full SAMPLES frame: kind, number, CRC; at most three code bytes of COBS; the closing zero."""
_UART_BITS = 10
"""Bits on the line a byte: start, eight, stop."""


def _label_form(classes: bool, heads: int, labels: int, degree: int) -> LabelForm:
    """The form of the labels of a pass. Those of classes are numbers or signs, but for a polynomial loss they are scaled."""
    if not classes or labels > 1:
        return LabelForm.WORD
    if heads > 1:
        return LabelForm.BYTE
    return LabelForm.WORD if degree else LabelForm.SIGN


def _link_seconds(count: int, link_baud: int | None) -> float | None:
    """Seconds that so many bytes of samples take on a serial link; None if no rate is known."""
    return count * _FRAME_BYTES / MAX_PAYLOAD * _UART_BITS / link_baud if link_baud else None


def _of_store(
    build: Build,
    pace: StorePace,
    samples: list[SampleLayout],
    sizes: dict[str, Any],
    link_baud: int | None,
    streamed: float,
) -> dict[str, Any]:
    """What is predicted of an epoch from the store; ``samples``: their layouts in each pass, ``streamed``: seconds of an epoch
    whose samples come over the link."""
    if len(samples) > 1:
        reason = (
            f"the models take {len(samples)} passes, whose samples differ, so they are sent in each epoch"
        )
        return {"room": reason, "fits": False}
    room = predict_room(build, sizes["samples"], samples[0])
    if not room["fits"]:
        return room
    layout = StoreLayout(sizes["samples"], samples[0].size, build.word_bytes)
    load = _link_seconds(layout.bursts * layout.burst_bytes, link_baud)
    epoch = predict_store_epoch(build, pace, samples[0], sizes)
    faster = round(streamed / epoch["seconds"], 2)
    return {
        **room,
        **({} if load is None else {"load_seconds": load}),
        **epoch,
        "times_as_fast_as_streamed": faster,
    }


def predict_epoch(
    build: Build,
    *,
    samples: int,
    features: int,
    base_planes: int,
    up_planes: int,
    batch: int = 16,
    heads: int = 1,
    classes: bool = False,
    degree: int = 0,
    fast_memory: bool = False,
    link_baud: int | None = None,
    store_pace: StorePace | None = None,
) -> dict[str, Any]:
    """Seconds of an epoch: those of the link, those of the datapath, and which is longer.

    If the build has no room for all heads, they take turns, and the samples are sent once for each turn. With a store, also
    whether the samples fit there, the seconds to load them, once, and those of an epoch on the samples of the store.

    Parameters
    ----------
    build : Build
        Build parameters.
    samples, features, base_planes, up_planes, batch, degree, fast_memory : int
        As of :func:`epoch_cycles`.
    heads : int
        Models to train, one for each class or output.
    classes : bool
        Whether the heads are classes. A pass with all of them needs only the number of a sample's class; otherwise each head
        has its own label.
    link_baud : int, optional
        Rate of a serial link in bits a second.
    store_pace : StorePace, optional
        How fast the build's store is read; None without a store.

    Returns
    -------
    dict of str to int, float, str, dict or None
        The parameters, the number of passes, bytes and cycles of a sample in all passes, and seconds of an epoch; the link's
        seconds are None if no rate is known. With a store also ``store``: ``room``, which says how many rows fit, with the
        figures of :func:`.predict_room` behind it and, if all fit, ``load_seconds`` and those of
        :func:`.predict_store_epoch`; and ``store_pace``.
    """
    sizes = {
        "samples": samples,
        "features": features,
        "base_planes": base_planes,
        "up_planes": up_planes,
        "batch": batch,
        "degree": degree,
        "fast_memory": fast_memory,
    }
    cycles, layouts = 0, []
    passes = heads_of_passes(build, features, heads)
    for together in passes:
        cycles += epoch_cycles(build, **sizes, heads=together)
        labels = 1 if classes and together == heads else together
        form = _label_form(classes, together, labels, degree)
        layouts.append(SampleLayout(features, base_planes, up_planes, build.lanes, labels, True, form))
    size = sum(layout.size for layout in layouts)
    link = _link_seconds(samples * size, link_baud)
    datapath = cycles / build.clock_hz
    streamed = max(datapath, link or 0.0)
    store: dict[str, Any] = {}
    if store_pace is not None:
        sizes["heads"] = heads
        store["store"] = _of_store(build, store_pace, layouts, sizes, link_baud, streamed)
        store["store_pace"] = asdict(store_pace)
    return {
        "samples": samples,
        "features": features,
        "base_planes": base_planes,
        "up_planes": up_planes,
        "batch": batch,
        "heads": heads,
        "classes": classes,
        "passes": len(passes),
        "degree": degree,
        "fast_memory": fast_memory,
        "link_baud": link_baud,
        "bytes_per_sample": size,
        "cycles_per_sample": round(cycles / samples, 3),
        "link_seconds": link,
        "datapath_seconds": datapath,
        "seconds": streamed,
        "bound_by": "link" if link is not None and link > datapath else "datapath",
        **store,
    }
