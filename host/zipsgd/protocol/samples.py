"""The layout of a sample on the wire, and how often it is sent for several heads."""

from dataclasses import dataclass

from .formats import Build
from .plain import make_plain
from .run import LabelForm

__all__ = ["SampleLayout", "heads_of_passes"]

_LANES = (4, 8, 16, 32, 64, 128, 256)
_MOST_PLANES = 8
_WORD = 2
"""Bytes of a label that is a word."""


@dataclass(frozen=True)
class SampleLayout:
    """How a sample lies on the wire: its size, and the places of labels and planes. :mod:`zipsgd.golden.weave` has the bits.

    Parameters
    ----------
    features : int
        Features of the sample, with the intercept; 1 or more.
    p : int
        Base planes, 0 to 8.
    m : int
        Up planes, 0 to 8.
    lanes : int
        Lanes of the build, L: a power of two, 4 to 256.
    labels : int
        Labels of the sample, 1 or more.
    intercept : bool
        The device makes the last feature, whose value is always the highest level. It is not on the wire.
    label_form : LabelForm
        How the label is written. Samples with more than one label take words.

    Raises
    ------
    ValueError
        A number is out of its range, or several labels are not words.
    """

    features: int
    p: int
    m: int
    lanes: int
    labels: int = 1
    intercept: bool = False
    label_form: LabelForm = LabelForm.WORD

    def __post_init__(self) -> None:
        make_plain(self)
        if self.features < 1:
            raise ValueError(f"a sample has one feature or more, not {self.features}")
        for name in ("p", "m"):
            if not 0 <= getattr(self, name) <= _MOST_PLANES:
                raise ValueError(f"{name} must be in 0..{_MOST_PLANES}, not {getattr(self, name)}")
        if self.lanes not in _LANES:
            raise ValueError(f"lanes must be a power of two in {_LANES[0]}..{_LANES[-1]}, not {self.lanes}")
        if self.labels < 1:
            raise ValueError(f"a sample has one label or more, not {self.labels}")
        if self.labels > 1 and self.label_form != LabelForm.WORD:
            raise ValueError(
                f"a sample with {self.labels} labels takes words for labels, not the form {self.label_form.name}"
            )

    @property
    def planes(self) -> int:
        """int: Planes of a chunk, p + m."""
        return self.p + self.m

    @property
    def chunks(self) -> int:
        """int: Chunks of a sample, with that of the intercept."""
        return -(-self.features // self.lanes)

    @property
    def sent_features(self) -> int:
        """int: Features on the wire: all, or all but the intercept."""
        return self.features - self.intercept

    @property
    def label_bytes(self) -> int:
        """int: Bytes of the first label, which is before the planes."""
        return _WORD if self.label_form == LabelForm.WORD else 1

    @property
    def more_label_bytes(self) -> int:
        """int: Bytes of the other labels, which are behind the planes."""
        return _WORD * (self.labels - 1)

    @property
    def plane_bytes(self) -> int:
        """int: Bytes of all planes. With L >= 8, each plane of the last chunk takes the bytes that hold features; with L = 4,
        planes follow each other in half bytes, up to a whole byte."""
        if self.lanes >= 8:
            return self.planes * -(-self.sent_features // 8)
        return -(-self.planes * -(-self.sent_features // self.lanes) * self.lanes // 8)

    @property
    def last_bytes(self) -> int:
        """int: Bytes of a plane of the last chunk, 0 if the intercept is alone there; with L = 4, 1 for a half byte."""
        return -(-(self.sent_features - (self.chunks - 1) * self.lanes) // 8)

    @property
    def size(self) -> int:
        """int: Bytes of a sample."""
        return self.label_bytes + self.plane_bytes + self.more_label_bytes


def heads_of_passes(build: Build, features: int, heads: int) -> list[int]:
    """How the heads of a task take turns on a build: as many as it has room for in each pass over the samples.

    Parameters
    ----------
    build : Build
        The build.
    features : int
        Features of a head, with the intercept.
    heads : int
        Heads of the task.

    Returns
    -------
    list of int
        Heads of each pass.
    """
    size = max(1, min(heads, build.heads, build.max_chunks // build.chunks(features)))
    return [min(size, heads - start) for start in range(0, heads, size)]
