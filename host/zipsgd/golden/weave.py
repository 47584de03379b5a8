"""The bit-plane layout of a sample on the wire (``docs/link.md``, A sample).

A sample begins with its label. The planes of each chunk of L features follow: base planes, most significant first, then the up
planes u_1 ... u_m. Bit j of a plane belongs to lane j. With L >= 8, each plane of the last chunk is cut to the whole bytes that
hold features. With L = 4, planes are consecutive half bytes, low half first, and the planes end at a whole byte.

The intercept, the last feature, need not be on the wire: its value is always the highest level, whose base is 2^(p-1) - 1 and
whose up bits are all 1. If it is alone in the last chunk, that chunk has no bytes.

A label is a word of 16 bits (little-endian) or one byte: the number of a class, or a sign. If each of K heads has its own
label, the label of the first head is at the beginning, and the others are after the planes.

:class:`zipsgd.protocol.samples.SampleLayout` has the sizes.
"""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout

from .quantise import Codes

__all__ = ["check_labels", "label_bytes", "plane_words", "planes", "unweave", "weave"]

_Bytes = npt.NDArray[np.uint8]


def planes(codes: Codes) -> _Bytes:
    """The p + m planes of each sample in the order of the wire.

    Parameters
    ----------
    codes : Codes
        Quantised samples.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, p + m, features)
        Bits, 0 or 1.
    """
    base = codes.base.view(np.uint8)
    rows = [base >> np.uint8(codes.p - 1 - i) & np.uint8(1) for i in range(codes.p)]
    rows += [codes.up >> np.uint8(i) & np.uint8(1) for i in range(codes.m)]
    return np.stack(rows, axis=1)


def plane_words(codes: Codes, lanes: int) -> list[list[int]]:
    """The plane words of each sample, in the order in which the training core takes them.

    Parameters
    ----------
    codes : Codes
        Quantised samples.
    lanes : int
        Lanes of the build.

    Returns
    -------
    list of list of int
        Words by sample.
    """
    rows = planes(codes)
    count, total, features = rows.shape
    chunks = -(-features // lanes)
    bits = np.zeros((count, total, chunks * lanes), dtype=np.uint8)
    bits[:, :, :features] = rows
    by_chunk = bits.reshape(count, total, chunks, lanes).transpose(0, 2, 1, 3).reshape(count, -1, lanes)
    packed = np.packbits(by_chunk, axis=2, bitorder="little")
    return [[int.from_bytes(word.tobytes(), "little") for word in sample] for sample in packed]


def check_labels(labels: npt.NDArray[np.int16], form: LabelForm) -> None:
    """Check that labels can be written in a form.

    Parameters
    ----------
    labels : npt.NDArray[np.int16]
        Labels.
    form : LabelForm
        The form.

    Raises
    ------
    ValueError
        A label is no class of 0 to 255, or neither +1 (0x7fff) nor -1 (0x8001).
    """
    if form == LabelForm.BYTE:
        fits, wanted = (labels >= 0) & (labels < 256), "in 0..255, the numbers of classes"
    elif form == LabelForm.SIGN:
        fits, wanted = np.abs(labels) == LABEL_ONE, f"{LABEL_ONE} or {-LABEL_ONE}, which are +1 and -1"
    else:
        return
    if not fits.all():
        raise ValueError(f"labels of the form {form.name} must be {wanted}, not {labels[~fits][0]}")


def label_bytes(labels: npt.NDArray[np.int16], form: LabelForm) -> _Bytes:
    """Labels as they are on the wire.

    Parameters
    ----------
    labels : npt.NDArray[np.int16] of shape (samples, labels)
        Labels.
    form : LabelForm
        The form.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, bytes)
        One row per sample.

    Raises
    ------
    ValueError
        As :func:`check_labels`.
    """
    check_labels(labels, form)
    match form:
        case LabelForm.WORD:
            return np.ascontiguousarray(labels, dtype="<i2").view(np.uint8).reshape(len(labels), -1)
        case LabelForm.BYTE:
            return labels.astype(np.uint8)
        case LabelForm.SIGN:
            return (labels > 0).astype(np.uint8)


def _labels(data: _Bytes, form: LabelForm) -> npt.NDArray[np.int16]:
    """The inverse of :func:`label_bytes`."""
    match form:
        case LabelForm.WORD:
            return np.ascontiguousarray(data).view("<i2").astype(np.int16)
        case LabelForm.BYTE:
            return data.astype(np.int16)
        case LabelForm.SIGN:
            return np.where(data & 1, LABEL_ONE, -LABEL_ONE).astype(np.int16)


def weave(codes: Codes, layout: SampleLayout) -> _Bytes:
    """Samples as bytes for the wire.

    Parameters
    ----------
    codes : Codes
        Quantised samples. If the layout leaves the intercept out, the bits of the last feature do not matter.
    layout : SampleLayout
        The layout.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, layout.size)
        One row per sample.

    Raises
    ------
    ValueError
        Samples and layout differ in features, planes or labels, or the labels do not have the layout's form.
    """
    count, features = codes.base.shape
    labels = codes.labels.reshape(count, -1 if codes.labels.size else layout.labels)
    shape = (features, codes.p, codes.m, labels.shape[1])
    wanted = (layout.features, layout.p, layout.m, layout.labels)
    if shape != wanted:
        raise ValueError(
            f"features, p, m and labels of the samples are {shape}, those of the layout {wanted}"
        )
    lanes, sent = layout.lanes, layout.sent_features
    chunks = -(-sent // lanes)
    padded = np.zeros((count, layout.planes, chunks * lanes), dtype=np.uint8)
    padded[:, :, :sent] = planes(codes)[:, :, :sent]
    # Sample, chunk, plane, lane
    bits = padded.reshape(count, layout.planes, chunks, lanes).transpose(0, 2, 1, 3)
    if lanes >= 8 and chunks:
        packed = np.packbits(bits, axis=-1, bitorder="little")
        last = -(-(sent - (chunks - 1) * lanes) // 8)
        body = np.concatenate(
            [packed[:, :-1].reshape(count, -1), packed[:, -1, :, :last].reshape(count, -1)], axis=1
        )
    else:
        body = np.packbits(bits.reshape(count, -1), axis=-1, bitorder="little")
    first = label_bytes(labels[:, :1], layout.label_form)
    return np.concatenate([first, body, label_bytes(labels[:, 1:], LabelForm.WORD)], axis=1)


def unweave(data: _Bytes, layout: SampleLayout) -> Codes:
    """The inverse of :func:`weave`, for tests. The intercept is the highest level if the layout leaves it out.

    Parameters
    ----------
    data : npt.NDArray[np.uint8] of shape (samples, layout.size)
        Samples on the wire.
    layout : SampleLayout
        The layout.

    Returns
    -------
    Codes
        The quantised samples.
    """
    count, p, m, lanes, sent = len(data), layout.p, layout.m, layout.lanes, layout.sent_features
    chunks = -(-sent // lanes)
    bits = np.zeros((count, chunks, layout.planes, lanes), dtype=np.uint8)
    start, end = layout.label_bytes, layout.label_bytes + layout.plane_bytes
    body = data[:, start:end]
    if lanes >= 8 and chunks:
        full = (chunks - 1) * layout.planes * (lanes // 8)
        bits[:, :-1] = np.unpackbits(
            body[:, :full].reshape(count, chunks - 1, layout.planes, lanes // 8), axis=-1, bitorder="little"
        )
        last = -(-(sent - (chunks - 1) * lanes) // 8)
        tail = np.unpackbits(body[:, full:].reshape(count, layout.planes, last), axis=-1, bitorder="little")
        bits[:, -1, :, : tail.shape[-1]] = tail
    else:
        flat = np.unpackbits(body, axis=-1, bitorder="little")
        bits[:] = flat[:, : bits[0].size].reshape(bits.shape)
    rows = np.ones((count, layout.planes, layout.features), dtype=np.int64)
    rows[:, :1] = p == 0  # of the intercept: a base plane begins with the sign
    rows[:, :, :sent] = bits.transpose(0, 2, 1, 3).reshape(count, layout.planes, chunks * lanes)[:, :, :sent]
    base = np.zeros((count, layout.features), dtype=np.int64)
    for i in range(p):
        base += rows[:, i] << (p - 1 - i) if i else -(rows[:, i] << (p - 1))
    up = np.zeros((count, layout.features), dtype=np.uint8)
    for i in range(m):
        up |= (rows[:, p + i] << i).astype(np.uint8)
    labels = np.concatenate(
        [_labels(data[:, :start], layout.label_form), _labels(data[:, end:], LabelForm.WORD)], axis=1
    )
    return Codes(base.astype(np.int8), up, labels[:, 0] if layout.labels == 1 else labels, p, m)
