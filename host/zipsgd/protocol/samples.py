"""Size of a sample on the wire."""

__all__ = ["sample_bytes"]


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
