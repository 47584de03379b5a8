"""What a training run asks of a device, and whether a build can do it."""

from dataclasses import dataclass

from zipsgd.golden.levels import LevelTable
from zipsgd.protocol.formats import Build

__all__ = ["LimitError", "RunConfig"]


class LimitError(ValueError):
    """A run that this build cannot do."""


@dataclass(frozen=True)
class RunConfig:
    """Configuration of a run.

    ``features`` with the intercept's; ``p`` base planes; ``m`` samples per value; ``batch`` samples of a mini-batch;
    ``one_sided``: g = Q_1 l'(z_2) rather than the symmetric mean; ``levels``: what bases number, None for even levels.

    Raises ValueError for levels of other features or another p.
    """

    features: int
    p: int
    m: int
    batch: int
    one_sided: bool = False
    levels: LevelTable | None = None

    def __post_init__(self) -> None:
        if self.levels is not None and (len(self.levels.values), self.levels.p) != (self.features, self.p):
            raise ValueError(
                f"the levels are of {len(self.levels.values)} features at p = {self.levels.p}, the run of {self.features} at "
                f"p = {self.p}"
            )

    def check(self, build: Build, samples: int = 0) -> None:
        """Raises :class:`LimitError` if ``build`` cannot do the run; ``samples``: of an epoch."""
        if self.levels is not None and not build.level_bits:
            raise LimitError(
                "this build has no transcoder for levels: train on even ones, or take a build with level_bits"
            )
        limits = {
            "features (with the intercept)": (self.features, 1, build.max_features),
            "base planes p": (self.p, 1, build.p_max)
            if self.levels is None
            else (self.p, 0, build.level_p_max),
            "samples per value m": (self.m, 0 if self.p else 1, build.m_max),
            "batch size": (self.batch, 1, build.max_batch),
            "samples of an epoch": (samples, 0, build.max_samples),
            "bits of a level": (2 if self.levels is None else self.levels.bits, 2, max(2, build.level_bits)),
        }
        for name, (value, low, high) in limits.items():
            if not low <= value <= high:
                raise LimitError(
                    f"{name} must be in {low}..{high} on this build, not {value}; a larger build would take more"
                )
        planes = self.p + self.m if self.levels is None else self.levels.bits * max(1, self.m)
        words = build.chunks(self.features) * planes
        if words > build.replay_words:
            raise LimitError(
                f"a sample of {self.features} features at {planes} planes takes {words} plane words, and this build replays at "
                f"most {build.replay_words}: use fewer planes or a build with larger replay_words"
            )
