"""The properties that are proved, by subject."""

from . import arithmetic, frames, growth, queues, rounding, sdram, stores, streams, unpacking, wavefront

__all__ = ["PROPERTIES"]

PROPERTIES = [
    shown
    for subject in (
        streams,
        unpacking,
        queues,
        stores,
        sdram,
        frames,
        wavefront,
        arithmetic,
        rounding,
        growth,
    )
    for shown in subject.PROPERTIES
]
