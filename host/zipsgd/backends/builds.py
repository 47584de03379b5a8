"""Builds to emulate or simulate: made to fit the data, or those of a report."""

import json
from pathlib import Path

from zipsgd.protocol.formats import Build, BuildError

__all__ = ["build_for", "load_build"]

_LISTED = 1 << 14
"""Samples of an epoch, or of a part of one, with refetching."""


def build_for(
    features: int,
    *,
    lanes: int = 8,
    max_features: int | None = None,
    batch: int = 1,
    level_planes: int | None = None,
    heads: int = 1,
    hinge: bool = False,
    polynomial: int = 0,
    refetch: bool = False,
    prox: bool = False,
    ball: bool = False,
) -> Build:
    """A build with room for ``heads`` models of ``features``, the intercept's among them.

    ``max_features``: by default what is needed, and at least 1024. ``batch``: samples of a mini-batch. ``level_planes``: most
    base planes of a transcoded value, None for a build without a transcoder. ``hinge``, ``polynomial``, ``refetch``, ``prox``,
    ``ball``: with hinge losses, with polynomial ones up to that degree, with a list of samples to fetch again, with a proximal
    step, with a ball.
    Raises :class:`zipsgd.protocol.formats.BuildError`.
    """
    lanes_above_zero = max(1, lanes)  # Build names the wrong one
    if max_features is None:
        max_features = max(1024, heads * -(-features // lanes_above_zero) * lanes_above_zero)
    # Eight base planes and all up planes; or two quantisations of eight bits
    planes = 8 + max(2, polynomial + 1) if level_planes is None else 16
    words = max_features // lanes_above_zero * planes
    return Build(
        lanes=lanes,
        update_lanes=lanes,
        max_features=max_features,
        max_batch=max(Build.max_batch, 1 << (batch - 1).bit_length()),
        replay_words=min(max(2048, 1 << (words - 1).bit_length()), 1 << 16),
        rx_bytes=1 << 14,  # a simulated board must not wait for this computer
        level_bits=0 if level_planes is None else 8,
        level_p_max=level_planes or 0,
        hinge=int(hinge),
        polynomial=polynomial,
        refetch=_LISTED if refetch else 0,
        prox=int(prox or ball),
        ball=int(ball),
        heads=heads,
    )


def load_build(path: str | Path) -> Build:
    """The build that a JSON file holds under "build": a report or sidecar of ``zipsgd build``, or a model.

    ``path`` may be the folder of a ``build.json``. Raises :class:`zipsgd.protocol.formats.BuildError`.
    """
    path = Path(path)
    path = path / "build.json" if path.is_dir() else path
    try:
        return Build(**json.loads(path.read_text())["build"])
    except BuildError as error:
        raise BuildError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} holds no build ({type(error).__name__}: {error}); 'zipsgd build' writes a build.json"
        ) from None
