"""What is proved, by subject."""

from . import frames, queues, rounding, streams

__all__ = ["PROPERTIES"]

PROPERTIES = [shown for subject in (streams, queues, frames, rounding) for shown in subject.PROPERTIES]
