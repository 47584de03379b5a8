"""Rows to predict for, as samples of a device."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import build_for, with_store
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.run import LimitError, RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import (
    LABEL_FRAC,
    LABEL_ONE,
    MOST_FEATURES,
    MOST_HEADS,
    MOST_STORE_WORDS,
)
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.store import StoreLayout
from zipsgd.rows import Rows

from .class_numbers import numbers_of
from .result import ClassifierResult, Result
from .targets import Labels
from .task import fit_in_memory

__all__ = ["PredictionRows"]

_Words = npt.NDArray[np.int16]

_SCORES = 1 << 12
"""Scores of an epoch on a build that is made for predictions."""
_MOST_BITS = 8


@dataclass(frozen=True, eq=False)
class PredictionRows:
    """Rows to predict for, scaled, and how a device takes them.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Scaled values with the intercept's column.
    heads : int
        Models.
    planes : tuple of int or None
        Base planes and up planes of a value as in training; None for base planes alone.
    asked : int or None
        Bits that are asked for without up planes.
    levels : LevelTable or None
        Optimal levels.
    scale : float
        Factor of the scaled values.
    labels : npt.NDArray[np.int16] of shape (rows,) or (rows, heads), or None
        Labels as in training, if they are known.
    label_form : LabelForm
        Form of these labels.
    seed : int
        Determines the up bits, and the order in a store.
    memory : int
        Bytes for packed samples that wait to be sent.
    intercept : bool
        Whether the model has an intercept, whose column of ones the device makes.
    """

    values: Rows
    heads: int
    planes: tuple[int, int] | None
    asked: int | None
    levels: LevelTable | None
    scale: float
    labels: _Words | None
    label_form: LabelForm
    seed: int
    memory: int
    intercept: bool

    @classmethod
    def of(
        cls,
        model: Result,
        rows: Rows,
        labels: npt.ArrayLike | None,
        *,
        bits: int | None,
        as_trained: bool,
        memory: int,
    ) -> "PredictionRows":
        """Scale rows for a model.

        Parameters
        ----------
        model : Result
            The model.
        rows : Rows of shape (rows, columns)
            Its columns, in their own units.
        labels : array of shape (rows,) or (rows, outputs), or None
            Labels of the rows.
        bits, as_trained, memory
            See :func:`.prediction.predict`.

        Returns
        -------
        PredictionRows
            The rows.

        Raises
        ------
        ValueError
            The bits are out of range, or given with ``as_trained``.
        """
        if bits is not None and as_trained:
            raise ValueError(
                "as_trained takes the bits of the training: leave out bits (on the command line: --as-trained or --bits)"
            )
        if bits is not None and not (isinstance(bits, int) and 1 <= bits <= _MOST_BITS):
            raise ValueError(f"bits must be a whole number in 1..{_MOST_BITS}, not {bits!r}")
        record, seed = model.samples, model.options.get("seed", 0)
        scale, table = (record.scale, record.table) if as_trained else (1.0, None)
        values: Rows = record.scalings[0].rows(rows, scale)
        if table is not None:
            values = _ClippedRows(values, table)
        known, form = (
            _labels_of(model, labels) if as_trained and labels is not None else (None, LabelForm.WORD)
        )
        # The device scores the first quantisation; a polynomial's many would need a part of their own
        planes = (record.base_planes, record.up_planes if record.up_planes <= 2 else 1)
        return cls(
            fit_in_memory(values, memory),
            len(record.label_centre),
            planes if as_trained else None,
            bits,
            table,
            scale,
            known,
            form,
            seed if isinstance(seed, int) and 0 <= seed < 1 << 64 else 0,
            memory,
            record.intercept,
        )

    def __len__(self) -> int:
        return self.values.shape[0]

    @property
    def middle(self) -> bool:
        """bool: Whether a value lies between its level and the next one."""
        return self.planes is None

    def _planes(self, build: Build) -> tuple[int, int]:
        return self.planes or (self.asked or min(_MOST_BITS, build.p_max), 0)

    def bits(self, build: Build) -> int:
        """Bits of a value on the link, p + m."""
        return sum(self._planes(build))

    def value_bits(self, build: Build) -> int:
        """Bits of a quantised value in the datapath."""
        return self._planes(build)[0] if self.levels is None else self.levels.bits

    def unit(self, build: Build) -> float:
        """Value of one unit of a quantised value, for values in [-1, 1]."""
        return 2.0 ** (1 - self.value_bits(build)) / self.scale

    def form(self, build: Build, heads: int) -> tuple[RunConfig, _Words]:
        """The configuration of a pass, and its labels.

        Labels do not matter for scores. If they are not those of the training, they take a byte, the same in all passes.

        Parameters
        ----------
        build : Build
            Build of the device.
        heads : int
            Heads of the pass.

        Returns
        -------
        RunConfig
            The configuration.
        npt.NDArray[np.int16] of shape (rows,) or (rows, heads)
            The labels.
        """
        p, m = self._planes(build)
        config = RunConfig(
            self.values.shape[1],
            p,
            m,
            build.max_batch,
            levels=self.levels,
            heads=heads,
            intercept=self.intercept,
            scored=True,
        )
        if self.labels is not None and heads == self.heads:
            classes = self.label_form == LabelForm.BYTE
            return replace(config, one_against_all=classes, label_form=self.label_form), self.labels
        if build.heads > 1:
            config = replace(config, one_against_all=True, label_form=LabelForm.BYTE)
            return config, np.zeros(len(self), dtype=np.int16)
        return replace(config, label_form=LabelForm.SIGN), np.full(len(self), -LABEL_ONE, dtype=np.int16)

    def check(self, build: Build) -> None:
        """Check that a build can predict.

        Parameters
        ----------
        build : Build
            Build of the device.

        Raises
        ------
        LimitError
            It cannot, for one head.
        """
        if self.levels is not None and not build.level_bits:
            raise LimitError(
                "this build has no transcoder for the optimal levels that the model was trained on: leave out as_trained (on "
                "the command line: --as-trained), or take a build with level_bits=8"
            )
        self.form(build, 1)[0].check(build)

    def build(self, described: Mapping[str, Any], *, resident: bool) -> Build:
        """A build to emulate or simulate that can predict, with as many heads as possible in one pass.

        Parameters
        ----------
        described : mapping
            Arguments of :func:`zipsgd.backends.build_for` that replace those that the rows need.
        resident : bool
            With a store that holds the rows, if any store does.

        Returns
        -------
        Build
            The build.
        """
        features = self.values.shape[1]
        needed: dict[str, Any] = {"level_planes": None if self.levels is None else self.levels.p, **described}
        if "heads" not in needed:
            sizes = {name: needed[name] for name in ("lanes", "max_features") if name in needed}
            one = build_for(features, **sizes)
            room = (sizes.get("max_features") or MOST_FEATURES) // (one.chunks(features) * one.lanes)
            needed["heads"] = max(1, min(self.heads, MOST_HEADS, room))
        needed.setdefault("scores", _SCORES)
        build = build_for(features, **needed)
        if not resident or "store" in described or not len(self):
            return build
        stored = with_store(build, 1)
        config, _ = self.form(stored, min(self.heads, stored.heads))
        layout = StoreLayout(len(self), config.layout(stored).size, stored.word_bytes)
        size = layout.bursts * layout.burst_bytes
        return with_store(build, size) if size <= MOST_STORE_WORDS * stored.word_bytes else build


class _ClippedRows:
    """Rows of which each value is clipped to the levels of its column: new rows may lie beyond them."""

    def __init__(self, rows: Rows, table: LevelTable) -> None:
        unit = 2.0 ** (1 - table.bits)
        self._rows = rows
        self._low = (table.values[:, 0] * unit).astype(np.float32)
        self._high = (table.values[:, -1] * unit).astype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._rows.shape

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        return np.asarray(np.clip(self._rows[rows], self._low, self._high))


def _labels_of(model: Result, labels: npt.ArrayLike) -> tuple[_Words | None, LabelForm]:
    """The labels as the device took them in training, and their form; None if there are others than in training."""
    scalings, given = model.samples.scalings, np.asarray(labels)
    if isinstance(model, ClassifierResult):
        if (given.dtype.kind == "U") != model.textual:
            return None, LabelForm.WORD
        numbers = numbers_of(given, model.classes)
        if (numbers < 0).any():
            return None, LabelForm.WORD
        found = Labels.of_classes(numbers, len(model.classes))
        if found.heads > 1 and found.numbers is not None:
            return found.numbers, LabelForm.BYTE
        exact = (0.0, (1 << LABEL_FRAC) / LABEL_ONE)
        signs = (scalings[0].label_centre, scalings[0].label_spread) == exact
        return scalings[0].labels(found.values[:, 0]), LabelForm.SIGN if signs else LabelForm.WORD
    if given.dtype.kind not in "fiub":
        return None, LabelForm.WORD
    columns = given.astype(np.float64).reshape(len(given), -1)
    if columns.shape[1] != len(scalings):
        return None, LabelForm.WORD
    words = np.stack(
        [scaling.labels(column) for scaling, column in zip(scalings, columns.T, strict=True)], axis=1
    )
    return words[:, 0] if len(scalings) == 1 else words, LabelForm.WORD
