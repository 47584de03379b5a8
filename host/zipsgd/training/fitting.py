"""The scaling of columns and labels, and the kind of levels: as the options say, or as the data suggest."""

from dataclasses import dataclass, replace

from zipsgd.data import Scaling, Table
from zipsgd.data.scaling_kinds import KINDS
from zipsgd.rows import ranges

from .forecast import forecast
from .level_choice import choose_levels
from .options import Options
from .parts import Parts
from .scaling_choice import choose_scaling
from .targets import Labels, Targets

__all__ = ["Fitted", "fit_scaling"]


@dataclass(frozen=True)
class Fitted:
    """A scaling and a kind of levels that fit the data.

    Parameters
    ----------
    columns : Scaling
        Scaling of the columns.
    targets : Targets
        Labels and their scaling.
    kind : str
        Kind of the scaling, see :data:`zipsgd.data.scaling_kinds.KINDS`.
    optimal : bool
        Whether levels are optimal ones instead of even ones.
    coarse : tuple of str
        Columns for which the levels are too coarse.
    """

    columns: Scaling
    targets: Targets
    kind: str
    optimal: bool
    coarse: tuple[str, ...] = ()


def fit_scaling(table: Table, labels: Labels, options: Options, parts: Parts) -> Fitted:
    """Choose scaling and levels, where the options leave them open, and fit them to the data.

    Parameters
    ----------
    table : Table
        The rows.
    labels : Labels
        Their labels.
    options : Options
        How to train.
    parts : Parts
        Parts of the device.

    Returns
    -------
    Fitted
        Scaling and levels.
    """
    kind, found = options.scaling, ranges(table.features)
    if not options.intercept:
        kind = "none"
    clip_labels = kind in KINDS and KINDS[kind].clips and labels.numbers is None
    if kind == "auto":
        choice = choose_scaling(table, labels, options.clip, found)
        kind, clip_labels = choice.kind, choice.clip_labels

    def fit(optimal: bool) -> Scaling:
        steps = options.level_steps if optimal else None
        return replace(
            Scaling.fit(table, steps, kind, options.clip, found), constant=float(options.intercept)
        )

    optimal = options.needs_optimal_levels
    columns = fit(optimal)
    targets = Targets.fit(labels, options.objective, clip=clip_labels, centred=options.intercept)
    expected = forecast(table.features, columns, targets, options)
    if expected is None:
        return Fitted(columns, targets, kind, optimal)
    rounding = choose_levels(table, options, expected, kind, parts.level_planes >= options.planes)
    if rounding.optimal != optimal:
        columns = fit(rounding.optimal)
    if options.weights_follow_labels:
        targets = targets.with_room(expected.weights)
    return Fitted(columns, targets, kind, rounding.optimal, rounding.coarse)
