"""The rule that decides whether a run went wrong, and what its warning says.

One rule holds for every interface: :func:`findings` reads the evidence of a run (:mod:`.evidence`) and returns what is wrong
with it. A run of which it returns nothing is healthy. Single saturated values are normal and no finding. What counts is the
trained model, and values that saturate widely.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

__all__ = [
    "FEW_EPOCHS",
    "ConvergenceWarning",
    "Evidence",
    "Finding",
    "Track",
    "clearly_worse",
    "describe",
    "findings",
    "findings_of",
]

FEW_EPOCHS = 5
"""A run of fewer epochs is not expected to be near the best model, and not compared with least squares."""
_WIDELY = 0.03
"""Share of values from which on saturation is wide. At 3 bits a value, up to 2 % of the residuals are saturated in healthy runs
on breast cancer, by the noise of quantisation."""
_POINTS = 0.04
"""A merit that is lower by more than this is clearly worse."""
_FEW_POINTS, _RATIO = 0.01, 1.25
"""So is one that is lower by more than this, if what it lacks of 1 is larger by this factor."""
_ACCURACY = 0.03
"""An accuracy that is lower by more than this is clearly worse."""
_FEW_ROWS = 9
"""A difference that so few rows decide may be chance: three standard errors of a count."""
_RISE = 0.05
"""A loss is higher than another one if it is so by this share of it."""
_MOST_BITS = 8
"""Most base bits of a value."""


class ConvergenceWarning(UserWarning):
    """The warning that a run went wrong: it diverged, did not converge, or values were saturated widely."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run.

    Parameters
    ----------
    kind : str
        "diverged": the model is worse than a constant. "noisy" or "unfinished": it is clearly worse than least squares.
        "rising": the loss rose. "residual", "delta" or "gradient": such values were saturated widely in the last epoch.
        "model": weights are at the end of their range. "empty": the penalty has left no weight.
    text : str
        What is wrong, in a sentence.
    remedies : tuple of str
        What may help, such as "more base bits".
    """

    kind: str
    text: str
    remedies: tuple[str, ...]


def findings_of(saved: object) -> list[Finding]:
    """The findings of a saved model.

    Parameters
    ----------
    saved : object
        Findings as JSON has them.

    Returns
    -------
    list of Finding
        The findings.

    Raises
    ------
    ValueError
        They are something else.
    """
    names = {f.name for f in fields(Finding)}
    if not isinstance(saved, list) or not all(
        isinstance(each, dict) and each.keys() == names for each in saved
    ):
        raise ValueError("its warnings are not findings")
    return [Finding(each["kind"], each["text"], tuple(each["remedies"])) for each in saved]


@dataclass(frozen=True)
class Track:
    """How good the models after all epochs of a run are, on the same rows.

    Parameters
    ----------
    merits, losses : sequence of float
        See :class:`zipsgd.training.epochs.EpochReport`.
    rows : int
        Number of the rows.
    accuracy : bool
        Whether merits are accuracies.
    held_out : bool
        Whether the rows are held out of training.
    epochs : sequence of int
        The epoch of each merit, counted from 1; empty if each epoch has one.
    """

    merits: Sequence[float]
    losses: Sequence[float]
    rows: int
    accuracy: bool
    held_out: bool = False
    epochs: Sequence[int] = ()

    def epoch(self, index: int) -> int:
        """The epoch of a merit, counted from 1."""
        return self.epochs[index] if self.epochs else index + 1

    @property
    def best(self) -> int:
        """int: Index of the first epoch of the best merit."""
        return list(self.merits).index(max(self.merits))

    @property
    def fallen(self) -> bool:
        """bool: Whether the last model is clearly worse than the best one, and its loss is higher, too."""
        best, last = self.best, len(self.merits) - 1
        rose = self.losses[last] - self.losses[best] > _RISE * abs(self.losses[best])
        return rose and clearly_worse(self.merits[last], self.merits[best], self.rows, accuracy=self.accuracy)


@dataclass(frozen=True)
class Evidence:
    """What the rule needs to know of a finished run.

    Parameters
    ----------
    track : Track or None
        How good the models of all epochs are; None if the last ones may be worse, because the run stops by itself when it gets
        no better.
    kept : int
        The epoch whose model is kept, counted from 1.
    accuracy : bool
        Whether merits are accuracies. Otherwise they are the share of a constant's loss that the model removes, R2 for least
        squares.
    shares : mapping of str to float
        Of the values that a flag of the last epoch speaks of, the share that is saturated: "residual", "delta", "gradient".
    ends : int
        Number of weights that are at the end of their range.
    step : float
        Step size of the first epoch.
    automatic : bool
        Whether the step size is the automatic one.
    biased : bool
        Whether quantisation leaves a bias in the gradient that another estimator would not.
    base_bits : int
        Base bits of a value.
    rows : int
        Number of training rows on which the kept model is compared with others; 0 if it is not.
    loss, constant, zero : float
        Loss of the model on these rows, with penalties, that of the best constant, and that of outputs of 0.
    empty : bool
        Whether a penalty is set and all weights but the intercepts are 0.
    compared : pair of float, or None
        Merit of the model on these rows, and what least squares reaches on rows that it was not fitted to; None where least
        squares says nothing of the model.
    columns : sequence of str
        Names of the columns in whose weights most of the difference to least squares lies, at most two; empty if not known.
    unfinished : bool
        Whether most of the difference is that weights lie between 0 and those of least squares.
    squeezed : bool
        Whether most of it lies in columns that a few values far out leave little of their range.
    far : float
        Largest weight of least squares, in units of the range of a weight.
    """

    track: Track | None
    kept: int
    accuracy: bool
    shares: Mapping[str, float]
    ends: int
    step: float
    automatic: bool
    biased: bool
    base_bits: int
    rows: int = 0
    loss: float = 0.0
    constant: float = 0.0
    zero: float = 0.0
    empty: bool = False
    compared: tuple[float, float] | None = None
    columns: Sequence[str] = ()
    unfinished: bool = False
    squeezed: bool = False
    far: float = 0.0

    @property
    def measure(self) -> str:
        """str: What merits are called."""
        return "accuracy" if self.accuracy else "R2"

    @property
    def smaller_step(self) -> str:
        """str: The remedy of a step that is too large."""
        if self.automatic:
            return f"a smaller step size than {self.step:.3g}"
        return f"the automatic step size, or a smaller one than {self.step:.3g}"

    @property
    def more_bits(self) -> str:
        """str: The remedy of the noise and the bias of quantisation."""
        if self.biased:
            return "an estimator without bias, such as the automatic one"
        return "larger mini-batches" if self.base_bits >= _MOST_BITS else "more base bits"


def clearly_worse(merit: float, than: float, rows: int, *, accuracy: bool) -> bool:
    """Whether a merit is so much lower than another one that neither chance nor the usual noise explains it.

    Parameters
    ----------
    merit, than : float
        The merit, and the one that it is compared with.
    rows : int
        Number of rows on which both were measured.
    accuracy : bool
        Whether merits are accuracies.

    Returns
    -------
    bool
        True if it is clearly lower.
    """
    gap = than - merit
    if min(gap, 1.0) * rows <= _FEW_ROWS:
        return False
    if accuracy:
        return gap > _ACCURACY
    return gap > _POINTS or (gap > _FEW_POINTS and 1 - merit > _RATIO * (1 - than))


def findings(evidence: Evidence) -> list[Finding]:
    """What is wrong with a run.

    Parameters
    ----------
    evidence : Evidence
        What is known of the run.

    Returns
    -------
    list of Finding
        The worst first; empty for a healthy run.
    """
    return [*_outcome(evidence), *_rise(evidence), *_saturation(evidence)]


def _outcome(of: Evidence) -> Iterator[Finding]:
    """What the kept model itself shows."""
    above = of.loss - of.constant
    if of.empty:
        yield Finding("empty", "the penalty leaves no weight but the intercept", ("a smaller penalty",))
    elif above > max(_RISE * abs(of.constant), _FEW_POINTS * of.zero):
        text = f"the model is worse than a constant: its loss is {of.loss:.4g}, that of a constant {of.constant:.4g}"
        yield Finding("diverged", text, (of.smaller_step, of.more_bits))
    elif of.compared is not None and clearly_worse(*of.compared, of.rows, accuracy=of.accuracy):
        yield _short(of, *of.compared)


def _short(of: Evidence, merit: float, reference: float) -> Finding:
    """A model that is clearly worse than least squares, and why."""
    text = (
        f"the model is far from what the data allow: {of.measure} {merit:.3f} on rows trained on, where least squares "
        f"reaches {reference:.3f}"
    )
    if of.columns:
        text += f"; most is lost in the weights of {' and '.join(map(repr, of.columns))}"
    cures: tuple[str, ...] = ()
    if of.squeezed:
        text += "; columns have values far out, which leave the others little of the range"
        cures = ("clipping the values far out, --scaling quantile (in Python: scaling='quantile')",)
    elif of.far > 1:
        text += f"; least squares has weights of {of.far:.2g} times the range that a weight has here"
        cures = ("leaving out columns that others repeat",)
    if of.biased:
        return Finding("noisy", text, (*cures, of.more_bits))
    if of.unfinished:
        return Finding(
            "unfinished",
            text,
            (*cures, "more epochs", *(() if of.automatic else ("the automatic step size",))),
        )
    return Finding("noisy", text, (*cures, of.smaller_step, of.more_bits))


def _rise(of: Evidence) -> Iterator[Finding]:
    """A last model that is clearly worse than that of an earlier epoch."""
    if of.track is not None and of.track.fallen:
        merits, best = of.track.merits, of.track.best
        where = "held out" if of.track.held_out else "trained on"
        after, last = of.track.epoch(best), of.track.epoch(len(merits) - 1)
        text = (
            f"the model got worse after epoch {after} of {last}: {of.measure} on rows {where} fell from "
            f"{merits[best]:.3f} to {merits[-1]:.3f}; the model of epoch {of.kept} is kept"
        )
        more = ("a penalty, or fewer epochs (patience)",) if of.track.held_out else ()
        yield Finding("rising", text, (of.smaller_step, *more))


_SATURATED = {
    "residual": "residuals",
    "delta": "deltas, the products of step and residual,",
    "gradient": "mini-batches' steps",
}
"""What the flags speak of."""


def _saturation(of: Evidence) -> Iterator[Finding]:
    """Values that were saturated widely."""
    for name, values in _SATURATED.items():
        share = of.shares.get(name, 0.0)
        if share >= _WIDELY:
            text = f"{share:.0%} of the {values} were saturated in the last epoch"
            yield Finding(name, text, (of.smaller_step, of.more_bits))
    if of.ends:
        text = f"{of.ends} weight{'s' * (of.ends > 1)} reached the end of the range"
        yield Finding("model", text, (of.smaller_step, "an L2 or L1 penalty, which keeps weights smaller"))


def describe(found: Sequence[Finding]) -> str:
    """The warning as one line of text.

    Parameters
    ----------
    found : sequence of Finding
        The findings, at least one.

    Returns
    -------
    str
        What is wrong, and what may help.
    """
    remedies = dict.fromkeys(remedy for each in found for remedy in each.remedies)
    return f"{'; '.join(each.text for each in found)}. This may help: {'; '.join(remedies)}"
