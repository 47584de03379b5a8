"""The properties that are proved, by subject."""

from . import (
    arithmetic,
    blocks,
    filling,
    frames,
    growth,
    orders,
    quantising,
    queues,
    rounding,
    schedules,
    sdram,
    stores,
    streams,
    unpacking,
    wavefront,
)

__all__ = ["PROPERTIES"]

PROPERTIES = [
    shown
    for subject in (
        streams,
        unpacking,
        queues,
        stores,
        sdram,
        orders,
        blocks,
        filling,
        schedules,
        frames,
        wavefront,
        arithmetic,
        rounding,
        growth,
        quantising,
    )
    for shown in subject.PROPERTIES
]
