"""Size of a sample on the wire, and how often it is sent for several heads."""

from .formats import Build

__all__ = ["heads_of_passes", "sample_bytes"]


def sample_bytes(features: int, p: int, m: int, lanes: int, labels: int = 1) -> int:
    """Bytes of one sample on the wire, see :mod:`zipsgd.golden.weave` for their layout.

    Parameters
    ----------
    features : int
        Features of the sample, with the intercept.
    p : int
        Base planes.
    m : int
        Up planes.
    lanes : int
        Lanes of the build, L.
    labels : int
        Labels of the sample, of two bytes each.

    Returns
    -------
    int
        With L >= 8, each plane of the last chunk takes the bytes that hold features; with L = 4, planes follow each other in
        half bytes.
    """
    if lanes >= 8:
        return 2 * labels + (p + m) * -(-features // 8)
    return 2 * labels + -(-(p + m) * -(-features // lanes) * lanes // 8)


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
