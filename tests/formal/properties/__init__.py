"""The properties that are proved, by subject."""

from . import arithmetic, frames, queues, rounding, streams, wavefront

__all__ = ["PROPERTIES"]

PROPERTIES = [
    shown
    for subject in (streams, queues, frames, wavefront, arithmetic, rounding)
    for shown in subject.PROPERTIES
]
