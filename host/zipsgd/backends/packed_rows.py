"""Rows that are packed once, for samples of any order and with any labels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.golden.weave import label_bytes
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout

__all__ = ["PackedRows"]

_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Rows that are packed once, for samples of any order and with any labels.

    Parameters
    ----------
    planes : npt.NDArray[np.uint8] of shape (rows, layout.plane_bytes)
        The planes of each row, as they are on the wire.
    """

    planes: _Bytes

    def blocks(
        self, order: npt.NDArray[np.int64], labels: npt.NDArray[np.int16], layout: SampleLayout, size: int
    ) -> Iterator[_Bytes]:
        """Samples as the bytes that a device receives.

        Parameters
        ----------
        order : npt.NDArray[np.int64] of shape (samples,)
            Row numbers in the order of training.
        labels : npt.NDArray[np.int16] of shape (rows,) or (rows, labels)
            Labels of all rows.
        layout : SampleLayout
            The layout. Its planes are those that are kept.
        size : int
            Samples of a block.

        Yields
        ------
        npt.NDArray[np.uint8] of shape (size, layout.size)
            Packed samples; the last block may have fewer.

        Raises
        ------
        ValueError
            A label does not have the layout's form.
        """
        begin = layout.label_bytes
        end = begin + layout.plane_bytes
        for start in range(0, order.size, size):
            rows = order[start : start + size]
            words = labels[rows].reshape(rows.size, layout.labels)
            part = np.empty((rows.size, layout.size), dtype=np.uint8)
            part[:, :begin] = label_bytes(words[:, :1], layout.label_form)
            part[:, begin:end] = self.planes[rows]
            part[:, end:] = label_bytes(words[:, 1:], LabelForm.WORD)
            yield part
