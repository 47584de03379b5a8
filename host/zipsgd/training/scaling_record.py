"""What a result says of scaling: the kinds that were used, and what was clipped or hit the end of its range."""

from dataclasses import dataclass, field, fields
from typing import Any

from zipsgd.data.clipping import Clipped, describe_clipped
from zipsgd.data.naming import listed

from .checks import is_number
from .sample_record import SampleRecord

__all__ = ["ScalingRecord"]

"""Most columns that a line names."""


@dataclass(kw_only=True)
class ScalingRecord:
    """The part of a result about scaling and levels.

    Parameters
    ----------
    scaling, levels : str
        Kind of scaling and kind of levels that were used, see :class:`zipsgd.Options`.
    clipped : list of dict
        Columns some of whose training values were clipped, with the fields of :class:`zipsgd.data.clipping.Clipped`.
        Predictions clip these columns alike.
    clipped_labels : list of int
        Number of training labels that were clipped, for each model.
    coarse : list of str
        Columns most of whose values share a level, so that rounding them adds far more than the residuals' own variance.
    at_end : list of str
        Columns with a weight at the end of its range.
    samples : SampleRecord
        How rows become samples of the device.
    """

    samples: SampleRecord
    scaling: str = "range"
    levels: str = "uniform"
    clipped: list[dict[str, Any]] = field(default_factory=list)
    clipped_labels: list[int] = field(default_factory=list)
    coarse: list[str] = field(default_factory=list)
    at_end: list[str] = field(default_factory=list)

    @property
    def clipped_columns(self) -> list[Clipped]:
        """list of Clipped: The clipped columns."""
        return [Clipped(**each) for each in self.clipped]

    def check_clipped(self, columns: int) -> None:
        """Check the clipped columns of a loaded model.

        Parameters
        ----------
        columns : int
            Columns of the model.

        Raises
        ------
        ValueError
            They are none.
        """
        names = {each.name for each in fields(Clipped)}
        if not isinstance(self.clipped, list) or not all(
            isinstance(each, dict)
            and each.keys() == names
            and type(each["column"]) is int
            and 0 <= each["column"] < columns
            and is_number(each["low"])
            and is_number(each["high"])
            and each["low"] <= each["high"]
            for each in self.clipped
        ):
            raise ValueError(f"its clipped columns are not some of {columns}, each with its ends")

    def scaling_lines(self) -> list[str]:
        """Lines of text about what was clipped, and about weights at the end of their range; empty if there is neither."""
        lines = []
        if self.clipped:
            told = describe_clipped(self.clipped_columns)
            lines.append(f"scaling {self.scaling}: clipped {told}, in training and in predictions")
        if any(self.clipped_labels):
            lines.append(
                f"{sum(self.clipped_labels):,} labels far beyond all others were clipped in training"
            )
        if self.at_end:
            named = listed(list(map(repr, self.at_end)))
            lines.append(
                f"warning: the weights of {named} are at the end of their range, and should be larger: scale the columns by "
                f"--scaling standard or quantile, or keep weights smaller by --l2 or --l1"
            )
        return lines
