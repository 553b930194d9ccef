"""A choice among training runs: what was tried, how it met classes it had not seen, what was taken and why.

Each thing tried has one value a fold, the mean of two measures of the classes left out in that fold:

    auroc               are they told from fresh items of the others?   (the gate)
    cluster_accuracy    are they told from each other, k-means told k?  (the clusterer; needs two classes)

Neither alone will do. A net that throws all that is new into one corner refuses it perfectly and finds nothing in
it; one that keeps everything apart may call half of it known.

**Rule.** Folds differ far more than candidates do: some classes are hard to leave out. So candidates are compared
fold by fold, and since three folds are few, the best mean does not win by itself. The run that was asked for stays,
unless the best one is ahead of it by more than the standard error of the lead,

    d_f = value of the best in fold f - value of the asked one in fold f        mean(d) > std(d) / sqrt(F)

which is the one-standard-error rule of Breiman, Friedman, Olshen and Stone 1984 (section 3.4.3), paired. Why not the
first of all that are within it of the best? Then a candidate is the likelier to be taken the less steady it is.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.config import TrainConfig

_MOST_ROWS = 12


@dataclass(frozen=True, kw_only=True)
class Met:
    """How the classes left out of one fold were met.

    Attributes:
        auroc: chance that an item of theirs is stranger than a fresh known one.
        cluster_accuracy: share of their items in the right cluster by k-means told k; None for a single class.
    """

    auroc: float
    cluster_accuracy: float | None

    @property
    def value(self) -> float:
        """The mean of what was measured."""
        return self.auroc if self.cluster_accuracy is None else (self.auroc + self.cluster_accuracy) / 2


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One run that was tried.

    Attributes:
        config: the run as it would be made in full, its `stop_at` set.
        met: one entry a fold.
    """

    config: TrainConfig
    met: tuple[Met, ...]

    @property
    def value(self) -> float:
        """Mean over the folds."""
        return float(np.mean([met.value for met in self.met]))

    @property
    def auroc(self) -> float:
        """Mean over the folds."""
        return float(np.mean([met.auroc for met in self.met]))

    @property
    def cluster_accuracy(self) -> float | None:
        """Mean over the folds that have one."""
        found = [met.cluster_accuracy for met in self.met if met.cluster_accuracy is not None]
        return float(np.mean(found)) if found else None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was taken, and from what.

    Attributes:
        winner: the run to make.
        tried: every candidate with its whole schedule, the asked one first; empty where nothing could be measured.
        stops: the winner's training by where it stops, the whole schedule first.
        expected: what the folds showed of the winner; None where nothing was measured.
        left_out: the classes left out of each fold.
        reasons: why this one, a sentence or two each.
    """

    winner: TrainConfig
    tried: tuple[Tried, ...]
    stops: tuple[Tried, ...]
    expected: Tried | None
    left_out: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]


def preferred(tried: Sequence[Tried], *, errors: float = 1.0) -> int:
    """Return the position of what the rule at the top of this file takes: 0, or that of the best.

    Args:
        tried: at least one, the asked one first, all on the same folds.
        errors: how many standard errors a lead must exceed.
    """
    values = np.array([[met.value for met in one.met] for one in tried])  # (n, F)
    best = int(values.mean(1).argmax())
    lead = values[best] - values[0]
    error = lead.std(ddof=1) / math.sqrt(len(lead)) if len(lead) > 1 else 0.0
    return best if lead.mean() > errors * error else 0


def as_markdown(choice: Choice) -> list[str]:
    """Return the lines of a table of the best that was tried, what was taken in bold, and of the reasons."""
    configs = [tried.config for tried in choice.tried]
    taken = dataclasses.replace(choice.winner, stop_at=1.0)
    best = sorted(choice.tried, key=lambda tried: -tried.value)[:_MOST_ROWS]
    shown = [
        tried
        for place, tried in enumerate(choice.tried)
        if place == 0 or tried.config == taken or any(tried is one for one in best)
    ]
    lines = []
    if shown:
        lines += ["| Tried | AUROC | k-means accuracy | value |", "|---|---|---|---|"]
    for tried in shown:
        apart = "-" if tried.cluster_accuracy is None else f"{tried.cluster_accuracy:.3f}"
        mark = "**" if tried.config == taken else ""
        lines.append(
            f"| {mark}{named(tried.config, configs)}{mark} | {tried.auroc:.3f} | {apart} | {tried.value:.3f} |"
        )
    if shown:
        lines.append("")
    if len(shown) < len(choice.tried):
        lines.append(f"- The {len(shown)} best of {len(choice.tried)} are shown, what was asked for first.")
    return [*lines, *(f"- {reason}" for reason in choice.reasons)]


def explain(
    full: Sequence[Tried],
    stops: Sequence[Tried],
    *,
    taken: TrainConfig,
    winner: TrainConfig,
    left_out: Sequence[tuple[str, ...]],
) -> tuple[str, ...]:
    """Say how the choice came about, a sentence or two a step.

    Args:
        full: every candidate with the whole schedule, the asked one first.
        stops: the training of the one taken, by where its schedule stopped, the whole one first.
        taken: the candidate that the rule took.
        winner: the same, where it stops best.
        left_out: the classes left out of each fold.
    """
    configs = [tried.config for tried in full]
    chosen = next(tried for tried in full if tried.config == taken)
    best = max(full, key=lambda tried: tried.value)
    sets = "; ".join(", ".join(labels) for labels in left_out)
    reasons = [
        f"Trained {len(left_out)} times on each candidate's terms, each time without some of the known "
        f"classes: {sets}. Value: the mean of AUROC and of k-means accuracy on those left out."
    ]
    if len(full) == 1:
        reasons.append(f"There was one candidate, of value {chosen.value:.3f}.")
    elif best is chosen:
        reasons.append(f"Of {len(full)} candidates {named(taken, configs)} is best, at {chosen.value:.3f}.")
    else:
        reasons.append(
            f"Of {len(full)} candidates {named(best.config, configs)} has the best mean, {best.value:.3f}; "
            f"{named(taken, configs)}, which was asked for, has {chosen.value:.3f}, and stays: the lead is within its "
            "standard error."
        )
    shares = ", ".join(f"{tried.value:.3f} at {tried.config.stop_at:g}" for tried in stops)
    if winner.stop_at < 1:
        reasons.append(
            f"Its training did better before the end of its schedule ({shares}), and so is stopped there."
        )
    else:
        reasons.append(f"Stopping before the end of the schedule is no clear gain ({shares}).")
    return tuple(reasons)


def named(config: TrainConfig, among: Sequence[TrainConfig]) -> str:
    """Name a run by the fields in which it may differ from others, such as "supcon, auxiliary two-views"."""
    fields = differing(among)
    return ", ".join(_shown(name, getattr(config, name)) for name in fields) or config.objective


def differing(configs: Sequence[TrainConfig]) -> list[str]:
    """Return the names of the fields in which some runs differ, in the order of `TrainConfig`."""
    return [
        field.name
        for field in dataclasses.fields(TrainConfig)
        if len({getattr(config, field.name) for config in configs}) > 1
    ]


def _shown(name: str, value: object) -> str:
    if name == "objective":
        return str(value)
    listed = ("+".join(value) or "default") if isinstance(value, tuple) else value
    return f"{name.replace('_', ' ')} {listed}"
